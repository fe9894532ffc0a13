"""Targets that bitfold draws itself."""

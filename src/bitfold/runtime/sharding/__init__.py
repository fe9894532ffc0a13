"""Modules whose parameters are divided among processes."""

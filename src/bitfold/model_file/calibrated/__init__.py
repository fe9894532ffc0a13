"""Weights that are rounded with regard to inputs that a module gets."""

"""Choosing how each tensor is coded."""

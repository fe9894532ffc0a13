"""A partition in numbers."""

"""Targets of K compared on pictures and digits."""

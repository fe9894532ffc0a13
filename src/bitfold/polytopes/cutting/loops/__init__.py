"""Compiled loops of a cut."""

"""Whole numbers on a trellis: even and odd ones by turns, which takes fewer bits for an error."""

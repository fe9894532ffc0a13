"""Curves over epochs and of size against error."""

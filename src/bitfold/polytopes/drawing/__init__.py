"""Partitions as pictures."""

"""Partitions on disk."""

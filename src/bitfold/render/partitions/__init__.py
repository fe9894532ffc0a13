"""Partitions as figures and surfaces."""

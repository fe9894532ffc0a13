"""Timing, repeated jobs, and the tasks that benchmarks and studies share."""

"""Benchmarks: each file answers one question, against a baseline in the same run."""

"""Benchmarks: one file a question, each with what it is measured against in the same run."""

"""Bins: ranges, rounding, soft assignment, escapes."""

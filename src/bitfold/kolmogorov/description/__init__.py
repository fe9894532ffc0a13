"""The whole description length, itemised."""

"""Which members a sweep has, by which names."""

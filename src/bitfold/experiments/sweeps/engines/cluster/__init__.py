"""Members of a sweep on several machines, by Ray."""

"""Who trains the members of a sweep: threads or processes of this machine."""

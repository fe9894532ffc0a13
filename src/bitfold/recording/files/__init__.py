"""Where a drawing lies on disk, for those who draw nothing themselves."""

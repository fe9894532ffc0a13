"""Plain geometry of a subdivided polygon: location, level sets, checks."""

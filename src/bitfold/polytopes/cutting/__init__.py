"""The exact engine: a mesh that is cut along every fold of a network."""

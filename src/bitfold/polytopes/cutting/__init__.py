"""A mesh that is cut wherever a network bends."""

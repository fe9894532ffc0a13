"""A cut gradient, and how much of it soft targets pass on."""

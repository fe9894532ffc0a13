"""A run as its users see it, and the state that a continued run takes up."""

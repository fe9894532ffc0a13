"""Recording what a module does to its input."""

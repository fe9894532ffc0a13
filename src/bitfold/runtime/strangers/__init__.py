"""Reading what a stranger may have made: a folder from somebody else is data, never power."""

"""What a stranger can do with the folder of a run."""

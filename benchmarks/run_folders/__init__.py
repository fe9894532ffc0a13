"""What strangers may put into the folder of a run."""

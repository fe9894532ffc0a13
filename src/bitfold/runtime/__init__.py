"""What every part stands on: threads, the memory of parameters, atomic files, compiled loops."""

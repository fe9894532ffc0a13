"""Commands that prepare a machine: compiled loops and completion in a shell."""

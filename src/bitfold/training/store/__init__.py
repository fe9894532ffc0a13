"""The files of a run: settings, metrics, weights and checkpoints on disk."""

"""Trained networks, compressed by bitfold and by NNCodec."""

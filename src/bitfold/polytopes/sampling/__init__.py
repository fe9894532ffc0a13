"""The sampled engine: activation patterns of pixels, compared."""

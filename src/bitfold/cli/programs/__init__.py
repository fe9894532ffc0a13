"""The draw-poly programs."""

"""K of the coordinate predictor, forward and backward in one compiled loop."""

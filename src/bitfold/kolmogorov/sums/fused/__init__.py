"""K of a coordinate predictor and all of its gradients, in one compiled pass over the weights."""

"""K summed over all weights: by PyTorch for any predictor, by compiled loops for ours."""

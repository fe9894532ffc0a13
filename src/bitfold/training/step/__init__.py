"""One epoch of training: network, predictor, optimisers and tasks."""

"""Weight predictors: from the position of a weight to the distribution of its value."""

"""One frame of a training: panels, text, folds."""

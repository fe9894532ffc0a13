"""Many runs on one page: table, curves, size against error, folds, statistics."""

"""Commands that train and compare many runs."""

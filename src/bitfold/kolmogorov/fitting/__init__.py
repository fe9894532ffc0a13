"""Fitting and choosing predictors, the hard finish, the bit budget."""

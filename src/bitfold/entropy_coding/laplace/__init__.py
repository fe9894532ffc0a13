"""Whole numbers coded by integer tables of Laplace and logistic distributions."""

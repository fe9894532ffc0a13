"""Whole numbers of a table by mixed predictions of adaptive bits."""

"""Whole numbers coded by adaptive bits, which need no parameters."""

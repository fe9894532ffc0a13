"""A module lowered to affine operations and bends, which can be run with any weights."""

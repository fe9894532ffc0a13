"""The options of a Kolmogorov loss: their names, their classes, and the objects made of them."""

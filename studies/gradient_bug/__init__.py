"""A cut gradient, and the share of the slope that soft targets pass on."""

"""Which parameters are described, in which order and at which positions."""

"""A whole epoch of training in one compiled call, for the settings that the loops know."""

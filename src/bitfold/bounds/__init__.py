"""What a description length promises of unseen data."""

from bitfold.bounds.occam import bound, inverse_kl

__all__ = ["bound", "inverse_kl"]

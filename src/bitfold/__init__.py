"""See the folds a network learns, and the bits it takes to describe them."""

from bitfold.runtime.display import figure_backend as figure_backend  # makes matplotlib importable
from bitfold.runtime.lazy_names import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)

"""What a network is asked to learn: pictures and clips as points with values or classes."""

from bitfold.runtime.lazy_names import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)

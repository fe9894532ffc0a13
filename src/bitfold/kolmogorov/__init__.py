"""The bits: the description length of any module's weights."""

from bitfold.runtime.lazy_names import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)

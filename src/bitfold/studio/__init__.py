"""The live page: watch, touch, rewind and compare trainings; drives training, shows it."""

from bitfold.runtime.lazy_names import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)

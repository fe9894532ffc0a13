"""Many runs, and what follows training: frontiers, coding a run, quality, reports.

Nothing here prints. Progress goes to listeners, which the command line and other programs provide.
"""

from bitfold.runtime.lazy_names import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)

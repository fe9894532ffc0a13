"""The folds: exact polytopes of piecewise linear modules on a plane, and sampled ones of any.

Read `partition` first. `lowering` says what a module does, and how far rounding reaches; `cutting`
runs that at the vertices of a mesh and cuts it wherever it bends; `drawing`, `measuring` and
`files` are what can be done with the result; `sampling` is the other engine.
"""

from bitfold.runtime.lazy_names import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)

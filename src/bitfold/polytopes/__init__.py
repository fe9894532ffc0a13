"""The folds: exact polytopes of piecewise linear modules on a plane, and sampled polytopes of any.

Read `search` first. `lowering` turns a module into affine operations and bends, with bounds of the
rounding errors. `cutting` runs these at the vertices of a mesh, and cuts the mesh at each bend. The
result is a `Partition`: a `subdivision`, which is plain geometry, and a backend that answers for
the network. `drawing`, `measuring` and `files` use the result. `sampling` is the other engine.
"""

from bitfold.runtime.lazy_names import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)

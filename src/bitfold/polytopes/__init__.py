"""The folds: exact polytopes of piecewise linear modules on a plane, and sampled ones of any.

Read `partition` first. `lowering` says what a module does, and how far rounding reaches; `cutting`
runs that at the vertices of a mesh and cuts it wherever it bends; `drawing`, `measuring` and
`files` are what can be done with the result; `sampling` is the other engine.
"""

from bitfold.polytopes.files.partition_loading import load_partition
from bitfold.polytopes.measuring.measures import (
    FOLD_MEASURES,
    LAYER_MEASURE,
    FoldMeasures,
    measure_folds,
    patterns_of_inputs,
)
from bitfold.polytopes.partition import Partition, partition
from bitfold.polytopes.plane import Plane
from bitfold.polytopes.sampling.sampled import SampledPartition, sample_partition, sample_patterns

__all__ = [
    "FOLD_MEASURES",
    "LAYER_MEASURE",
    "FoldMeasures",
    "Partition",
    "Plane",
    "SampledPartition",
    "load_partition",
    "measure_folds",
    "partition",
    "patterns_of_inputs",
    "sample_partition",
    "sample_patterns",
]

from bitfold.polytopes.cutting.search_watch import SearchProgress
from bitfold.polytopes.loading import load_partition
from bitfold.polytopes.measuring.measures import (
    FOLD_MEASURES,
    LAYER_MEASURE,
    FoldMeasures,
    measure_folds,
    patterns_of_inputs,
)
from bitfold.polytopes.partition import Partition
from bitfold.polytopes.partition_estimate import estimate_polytopes
from bitfold.polytopes.partition_search import partition
from bitfold.polytopes.plane import Plane
from bitfold.polytopes.sampling.sampled import SampledPartition, sample_partition, sample_patterns

__all__ = [
    "FOLD_MEASURES",
    "LAYER_MEASURE",
    "FoldMeasures",
    "Partition",
    "Plane",
    "SampledPartition",
    "SearchProgress",
    "estimate_polytopes",
    "load_partition",
    "measure_folds",
    "partition",
    "patterns_of_inputs",
    "sample_partition",
    "sample_patterns",
]

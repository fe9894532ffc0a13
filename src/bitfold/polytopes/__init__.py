"""The folds: exact polytopes of piecewise linear modules on a plane, and sampled ones of any."""

from bitfold.polytopes.partition import Partition, partition
from bitfold.polytopes.partition_loading import load_partition
from bitfold.polytopes.plane import Plane
from bitfold.polytopes.sampled import SampledPartition, sample_partition, sample_patterns

__all__ = [
    "Partition",
    "Plane",
    "SampledPartition",
    "load_partition",
    "partition",
    "sample_partition",
    "sample_patterns",
]

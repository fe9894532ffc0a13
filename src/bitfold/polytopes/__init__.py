"""The folds: activation patterns of any module, compared between the pixels of a raster."""

from bitfold.polytopes.sampled import SampledPartition, sample_partition, sample_patterns

__all__ = ["SampledPartition", "sample_partition", "sample_patterns"]

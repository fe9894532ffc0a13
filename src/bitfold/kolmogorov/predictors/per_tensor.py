"""The per-tensor predictor: one location and one scale for each tensor."""

from torch import Tensor

from bitfold.kolmogorov.predictors.laplace_logistic import ScalePredictor
from bitfold.kolmogorov.weights.weight_subset import WeightSubset


class PerTensorPredictor(ScalePredictor):
    """One location and scale for each tensor: the predictor that takes the fewest bits itself.

    Args:
        distribution: ``"laplace"`` or ``"logistic"``.
        is_centred: whether all locations are 0.

    Example:
        >>> from torch import nn
        >>> from bitfold.kolmogorov import KolmogorovLoss
        >>> kolmogorov = KolmogorovLoss(nn.Linear(30, 20), predictor=PerTensorPredictor())
        >>> sum(parameter.numel() for parameter in kolmogorov.predictor.parameters())
        2
    """

    option_name = "per_tensor"
    option_rank = 2
    file_method = "one scale"

    def log_scales(self, subset: WeightSubset) -> Tensor:
        """The scale of the weight's tensor."""
        return self.log_scale.index_select(0, subset.block_numbers)

"""The coordinate predictor of a loss in whole numbers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from bitfold.entropy_coding.fixed_point.network import STEPS, WholeNetwork
from bitfold.entropy_coding.precision import MAX_PREDICTOR_BITS


def coordinate_network(sent: Mapping[str, Tensor], precision_bits: int) -> WholeNetwork:
    """Turn a sent predictor into the network of a file.

    Args:
        sent: whole numbers of each parameter and their steps, see `whole_parameters`.
        precision_bits: of the sent parameters.
    """
    tensors = tuple(item.numpy() for name, item in sent.items() if name != STEPS)
    precision = min(precision_bits, MAX_PREDICTOR_BITS)
    return WholeNetwork(tensors, tuple(sent[STEPS].tolist()), precision)

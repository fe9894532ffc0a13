"""The coordinate predictor of a loss in whole numbers."""

from __future__ import annotations

import torch

from bitfold.entropy_coding.fixed_point.network import STEPS, WholeNetwork
from bitfold.entropy_coding.precision import MAX_PREDICTOR_BITS
from bitfold.errors import ModelFileError
from bitfold.kolmogorov import CoordinatePredictor


@torch.no_grad()
def coordinate_network(predictor: CoordinatePredictor, precision_bits: int) -> WholeNetwork:
    """Round a predictor to whole numbers.

    Raises:
        ModelFileError: if its kind is not ``"cross_entropy"``, or one of its parameters is not
            finite.
    """
    if predictor.kind != "cross_entropy":
        raise ModelFileError(
            "Cannot write a model file: expected a coordinate predictor of kind cross_entropy, "
            f"got {predictor.kind}. Write it without the loss, or fit another predictor by "
            "bitfold.choose_predictor(loss)."
        )
    if not all(bool(torch.isfinite(item).all()) for item in predictor.parameters()):
        raise ModelFileError(
            "Cannot write a model file: expected a predictor of finite parameters, got others. "
            "Train it at a lower rate, or fit another one by bitfold.choose_predictor(loss)."
        )
    sent = predictor.sent(precision_bits)
    steps = sent.pop(STEPS)
    tensors = tuple(item.numpy() for item in sent.values())
    precision = min(precision_bits, MAX_PREDICTOR_BITS)
    return WholeNetwork(tensors, tuple(steps.tolist()), precision)

"""A predictor as a decoder gets it."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from bitfold.entropy_coding.scales.whole_scales import SentScale, WholeScales


class SentPredictor(NamedTuple):
    """The rounded parameters of a predictor, and their size.

    Attributes:
        parameters: by name, as `WeightPredictor.hard_bits` takes them.
        bits: of all parameters together; a tensor where they depend on the parameters' values.
        scales: of all tensors, for predictors with locations and scales.
        are_finite: whether no parameter that was rounded was infinite or no number.
    """

    parameters: dict[str, Tensor]
    bits: Tensor | float
    scales: WholeScales | None = None
    are_finite: bool = True


class FileCoding(NamedTuple):
    """How a model file codes the described tensors.

    Attributes:
        method: name of the method for all of these tensors, among those of the file format.
        distribution: of the scales, ``"laplace"`` or ``"logistic"``.
        scales: of each tensor; empty for methods without scales.
        network: rounded parameters of a coordinate network, by name; None for other methods.
    """

    method: str
    distribution: str = "laplace"
    scales: tuple[SentScale, ...] = ()
    network: Mapping[str, Tensor] | None = None

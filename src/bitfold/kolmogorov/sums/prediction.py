"""The output of a network that predicts weights, with its last layer not yet applied."""

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional


class Prediction(NamedTuple):
    """The prediction for N weights.

    Distributions over bins would take weights by bins; this form allows to compute them in chunks.

    Attributes:
        hidden: (N, width of the last hidden layer).
        weight: (outputs, width), of the last layer.
        bias: (outputs,), of the last layer.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor

    def outputs(self) -> Tensor:
        """Apply the last layer: (N, outputs)."""
        return functional.linear(self.hidden, self.weight, self.bias)

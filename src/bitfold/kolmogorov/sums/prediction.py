"""What a network that predicts weights says of them, its last layer not yet applied."""

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional


class Prediction(NamedTuple):
    """What is said of N weights.

    A distribution over bins is weights by bins; left in this form, it can be worked through a chunk
    at a time.

    Attributes:
        hidden: (N, width of the last hidden layer).
        weight: (outputs, width), of the last layer.
        bias: (outputs,), of the last layer.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor

    def outputs(self) -> Tensor:
        """The last layer applied: (N, outputs)."""
        return functional.linear(self.hidden, self.weight, self.bias)

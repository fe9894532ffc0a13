"""Linear layers without initial values, for callers that draw these themselves."""

from __future__ import annotations

import torch
from torch import nn


def blank_linear(fan_in: int, fan_out: int, *, dtype: torch.dtype | None = None) -> nn.Linear:
    """Return a linear layer on the CPU whose weights and biases hold arbitrary numbers.

    PyTorch's own way, ``to_empty`` of a layer on the meta device, imports SymPy, which takes half a
    second; PyTorch 2.9 does so for any layer there.

    Args:
        fan_in: inputs of the layer.
        fan_out: outputs of the layer.
        dtype: of the parameters; None for PyTorch's default.

    Guarantees: no random state is touched.

    Example:
        >>> layer = blank_linear(3, 2)
        >>> layer.weight.shape, layer.bias.device.type
        (torch.Size([2, 3]), 'cpu')
    """
    layer: nn.Linear = _BlankLinear(fan_in, fan_out, device="cpu", dtype=dtype)
    layer.__class__ = nn.Linear
    return layer


class _BlankLinear(nn.Linear):
    """A linear layer that draws no initial values."""

    def reset_parameters(self) -> None:
        """Leave the numbers that are there."""

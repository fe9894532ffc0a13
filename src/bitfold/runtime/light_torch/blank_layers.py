"""Linear layers without initial values, for callers that draw these themselves."""

from __future__ import annotations

import torch
from torch import nn


def blank_linear(fan_in: int, fan_out: int, *, dtype: torch.dtype | None = None) -> nn.Linear:
    """Return a linear layer on the CPU whose weights and biases hold arbitrary numbers.

    PyTorch's own way, ``to_empty`` of a layer on the meta device, imports SymPy, which takes half a
    second.

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
    layer = nn.Linear(fan_in, fan_out, device="meta")
    layer.weight = nn.Parameter(torch.empty(fan_out, fan_in, dtype=dtype, device="cpu"))
    layer.bias = nn.Parameter(torch.empty(fan_out, dtype=dtype, device="cpu"))
    return layer

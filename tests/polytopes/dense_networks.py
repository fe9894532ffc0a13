"""Networks of two inputs for the tests of several files."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import nn

WIDE = ((-3.0, -3.0), (3.0, 3.0))


def dense(
    widths: list[int], activation: Callable[[], nn.Module], outputs: int = 1
) -> nn.Sequential:
    """Return layers initialised as in He et al. 2015, with small biases."""
    parts: list[nn.Module] = []
    for fan_in, fan_out in zip([2, *widths], widths, strict=False):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.normal_(linear.weight, 0, math.sqrt(2 / fan_in))
        nn.init.normal_(linear.bias, 0, 0.3)
        parts += [linear, activation()]
    return nn.Sequential(*parts, nn.Linear(widths[-1], outputs)).eval()

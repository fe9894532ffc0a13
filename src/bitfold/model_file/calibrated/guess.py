"""About how many bits rounded weights take, by a sample of them, before any is rounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.model_file.calibrated.tables import STEP_SHARE

Floats = NDArray[np.float64]

# Numbers of a tensor that are looked at.
_MOST_SAMPLED: Final = 4096
# Weights go to 0 up to this share of a step more often than to the nearest bin.
_DEAD_ZONE: Final = 0.2


class Sampled(NamedTuple):
    """Some weights of a tensor.

    Attributes:
        values: (n,).
        size: how many weights they stand for.
        importance: the step's square times this is lambda times `STEP_SHARE`.
    """

    values: Floats
    size: int
    importance: float


def sample_of(tensor: Tensor, importance: float) -> Sampled:
    """Some of a tensor's weights: all of a small one, else one of each 4,096th part."""
    values = tensor.detach().reshape(-1)
    some = (
        values if len(values) <= _MOST_SAMPLED else values[_places(len(values)).to(values.device)]
    )
    return Sampled(some.cpu().double().abs().numpy(), len(values), importance)


def _places(size: int) -> Tensor:
    """A place within each of the parts of a tensor, at random: a stride may stay in one column."""
    parts = np.arange(_MOST_SAMPLED + 1, dtype=np.int64) * size // _MOST_SAMPLED
    return torch.from_numpy(np.random.default_rng(0).integers(parts[:-1], parts[1:]))


def guessed_bits(samples: Sequence[Sampled], rate: float) -> float:
    """About the bits of all tensors: those of digits, by how often each count of them comes up.

    Args:
        samples: of all tensors.
        rate: lambda.
    """
    total = 0.0
    for values, size, importance in samples:
        if not len(values):
            continue
        step = np.sqrt(STEP_SHARE * rate / importance)
        digits = np.frexp(np.floor(values / step + (0.5 - _DEAD_ZONE)))[1]
        shares = np.bincount(digits) / len(values)
        shares = shares[shares > 0]
        signs_and_rest = np.maximum(digits, 0).mean()
        total += size * (float(signs_and_rest) - float((shares * np.log2(shares)).sum()))
    return total

"""The size of a network by usual means: baselines for its model file."""

from __future__ import annotations

import bz2
import gzip
import importlib
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: Widths of the uniform grids.
UNIFORM_BITS = (8, 4, 3)
# All at the highest level that asks for no special decoder.
_GZIP_LEVEL, _BZIP2_LEVEL, _ZSTD_LEVEL = 9, 9, 19
# The lower limit and the step of a uniform grid, in float32.
_SIDE_BYTES = 8


@dataclass(frozen=True, eq=False)
class Baseline:
    """One way to write a network's weights.

    Args:
        name: of the way.
        num_bytes: of the numbers alone, without names and shapes.
        state: the decoded tensors, fit for ``load_state_dict``.
        note: a remark for readers of a table.
    """

    name: str
    num_bytes: int
    state: Mapping[str, Tensor]
    note: str


def baselines(state: Mapping[str, Tensor], decoded: Mapping[str, Tensor]) -> list[Baseline]:
    """Write a network's weights by usual means.

    - ``float32`` and ``float16``: numbers as they are, or rounded;
    - ``gzip``, ``zstd``, ``bzip2``: the bytes of float16, little-endian, tensor after tensor in
      the order of ``state``, at their highest usual levels (9, 19, 9);
    - ``uniform 8``, ``4`` and ``3 bits``: each tensor rounded to evenly spaced values from its
      smallest to its largest number (min-max), each in that many bits, with the smallest number and
      the step in float32;
    - ``order-0 entropy``: no file, but the size under an ideal code of the *quantised* weights that
      ignores their positions: the entropy of each tensor's numbers by their own frequencies, which
      themselves cost nothing. A real code has to send its frequencies and takes more.

    Args:
        state: of the network in float32 (or more), by name.
        decoded: the quantised weights, as decoded from its model file.

    Returns:
        From the usual longest to the usual shortest.

    Example:
        >>> rows = baselines({"w": torch.arange(4.0)}, {"w": torch.tensor([0.0, 0, 1, 1])})
        >>> [(row.name, row.num_bytes) for row in rows][-2:]
        [('uniform 3 bits', 10), ('order-0 entropy', 1)]
    """
    half = {name: item.to(torch.float16) for name, item in state.items()}
    data = b"".join(item.cpu().contiguous().numpy().tobytes() for item in half.values())
    if sys.byteorder == "big":
        data = np.frombuffer(data, "=f2").astype("<f2").tobytes()
    rounded = {name: item.to(state[name].dtype) for name, item in half.items()}
    num_numbers = sum(item.numel() for item in state.values())
    found = [
        Baseline("float32", 4 * num_numbers, state, "no loss"),
        Baseline("float16", 2 * num_numbers, rounded, "rounded to half precision"),
        _packed("gzip", rounded, gzip.compress(data, _GZIP_LEVEL, mtime=0), _GZIP_LEVEL),
        _packed("zstd", rounded, _zstd(data, _ZSTD_LEVEL), _ZSTD_LEVEL),
        _packed("bzip2", rounded, bz2.compress(data, _BZIP2_LEVEL), _BZIP2_LEVEL),
    ]
    found += [_uniform(state, num_bits) for num_bits in UNIFORM_BITS]
    entropy = sum(_entropy_bits(item) for item in decoded.values())
    note = "of the file's weights, each tensor by itself; a limit, no file"
    return [*found, Baseline("order-0 entropy", math.ceil(entropy / 8), decoded, note)]


def _packed(name: str, state: Mapping[str, Tensor], data: bytes, level: int) -> Baseline:
    return Baseline(f"{name} of float16", len(data), state, f"level {level}")


def _zstd(data: bytes, level: int) -> bytes:
    """Compress by Python's own module, or by its backport to versions before 3.14."""
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    packed: bytes = importlib.import_module(name).compress(data, level)
    return packed


def _uniform(state: Mapping[str, Tensor], num_bits: int) -> Baseline:
    decoded = {name: _on_grid(item, num_bits) for name, item in state.items()}
    num_numbers = sum(item.numel() for item in state.values())
    num_bytes = math.ceil(num_bits * num_numbers / 8) + _SIDE_BYTES * len(state)
    note = "min-max for each tensor, steps included"
    return Baseline(f"uniform {num_bits} bits", num_bytes, decoded, note)


def _on_grid(item: Tensor, num_bits: int) -> Tensor:
    if item.numel() == 0:
        return item
    low, high = item.amin().float(), item.amax().float()
    step = (high - low) / (2**num_bits - 1)
    if not step > 0:
        return low.expand_as(item).to(item.dtype)
    rounded: Tensor = ((item - low) / step).round() * step + low
    return rounded.to(item.dtype)


def _entropy_bits(item: Tensor) -> float:
    _, counts = torch.unique(item, return_counts=True)
    share = counts.double() / max(1, item.numel())
    return float(-(counts * share.log2()).sum())

"""Grids, method 8 and numbers off the grid, in plain Python after docs/file-format.md."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.model_file.plain_network import as_float

if TYPE_CHECKING:
    from tests.model_file.plain_decoder import Decoder


Sides = tuple[int, ...]


def grids(
    d: Decoder, gridded: Sequence[int], tensors: Sequence[tuple[Sides, str]], version: int
) -> tuple[bool, dict[int, tuple[float, float]], tuple[int, float, float] | None]:
    """Read the logistic flag, the steps with offsets, and the grid that all tensors share."""
    if not gridded:
        return False, {}, None
    is_logistic = bool(d.bits(1))
    if d.bits(1):
        bins = d.bits(16) + 1 if d.bits(1) else 256
        low, high = (as_float(d.bits(16) + (d.bits(16) << 16)) for _ in range(2))
        return is_logistic, {}, (bins, low, high)
    if version > 2 and d.bits(1):
        return is_logistic, close_steps(d, gridded, tensors), None
    steps, last, has_forms = {}, dict[bool, tuple[float, float]](), d.bits(1)
    for i in gridded:
        sort = len(tensors[i][0]) < 2
        if not (has_forms and d.bits(1)):
            is_long = has_forms and d.bits(1)
            if is_long and version > 1 and d.bits(1):
                words = struct.pack("<8H", *(d.bits(16) for _ in range(8)))
                last[sort] = struct.unpack("<2d", words)
            else:
                last[sort] = as_float(d.bits(32) if is_long else d.bits(16) << 16), 0.0
        steps[i] = last[sort]
    return is_logistic, steps, None


def close_steps(
    d: Decoder, gridded: Sequence[int], tensors: Sequence[tuple[Sides, str]]
) -> dict[int, tuple[float, float]]:
    """Read steps as differences from the steps before."""
    unit, steps, last = d.bits(3), {}, dict[bool, int]()
    for i in gridded:
        sort = len(tensors[i][0]) < 2
        before = last.get(sort, last.get(not sort, 0x3D80 >> unit))
        last[sort] = before + d.signed(7 - unit)
        steps[i] = as_float(last[sort] << unit << 16), 0.0
    return steps


def counted(d: Decoder, size: int) -> list[int]:
    """Read a tensor of method 8."""
    least, num_values, stride = d.signed(4), d.golomb(6) + 1, d.golomb(0) + 1
    growth = (1, 2, 8, 32)[d.bits(2)]
    group = 1 << (((num_values - 1).bit_length() + 1) // 2)
    counts = [1] * num_values
    found = []
    for _ in range(size):
        groups = [counts[first : first + group] for first in range(0, num_values, group)]
        chosen = choice(d, [sum(some) for some in groups])
        k = chosen * group + choice(d, groups[chosen])
        counts[k] += growth
        found.append(least + k * stride)
    return found


def counted_plain(d: Decoder, method: int, size: int) -> list[float]:
    """Read a tensor of method 9 or 10."""
    if method == 10:
        return [float(number) for number in counted(d, size)]
    values = [as_float(d.bits(16) + (d.bits(16) << 16)) for _ in range(d.golomb(4) + 1)]
    return [values[k] for k in counted(d, size)]


def choice(d: Decoder, counts: list[int]) -> int:
    """Read one of some values by their counts."""
    n, total, slot = len(counts), sum(counts), d.slot()
    starts = [k + sum(counts[:k]) * (2**16 - n) // total for k in range(n + 1)]
    chosen = max(k for k in range(n) if starts[k] <= slot)
    d.take(starts[chosen], starts[chosen + 1] - starts[chosen])
    return chosen


def exceptions(d: Decoder, values: list[float]) -> None:
    """Read the numbers that are off the grid into their places."""
    at = -1
    for _ in range(d.golomb(0)):
        at += 1 + d.golomb(6)
        values[at] = as_float(d.bits(32))

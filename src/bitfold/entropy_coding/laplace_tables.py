"""The integer tables that weights are coded by: K's hard bits and the model file share them.

A scale is a whole number i of eighths of an octave and stands for 2^(i/8) + 1/32 bins. For each
there is a table of frequencies, which add up to 2^16, of the distance of a weight's bin from its
location. All of it is worked out in whole numbers alone, so that every machine has the same tables.
"""

import math
from functools import cache
from itertools import count
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.runtime.accumulation_dtype import accumulation_dtype

#: Frequencies add up to 2 to this power.
FREQUENCY_BITS = 16
#: Scales a factor of 2 apart are so many numbers apart.
PER_OCTAVE = 8
#: The least and the largest scale: 1/32 + 1/256 of a bin and 2^16 bins.
LEAST_SCALE, LARGEST_SCALE = -64, 128
#: Up to this scale, 32 bins, a scale has a table; beyond it low bits of distances are sent plainly.
LAST_TABLE = 40
DISTRIBUTIONS = ("laplace", "logistic")

# Bits behind the point: 80 more than a frequency needs.
_POINT = 96
_ONE = 1 << _POINT
# An argument is halved so often before its series, and the result squared as often.
_HALVINGS = 8
# Larger distances lose their last bits: whole numbers of float64 end at 2^53.
MAX_DISTANCE = 2**52


class IntegerTables(NamedTuple):
    """The tables of one distribution, one behind the other, from the least scale on.

    A table's symbols are: less than -reach, each of -reach to reach, more than reach.

    Attributes:
        firsts: int64 (scales,), where each table starts.
        reaches: int64 (scales,).
        starts: int64, cumulative frequency before each symbol, and 2^16 behind the last.
    """

    firsts: NDArray[np.int64]
    reaches: NDArray[np.int64]
    starts: NDArray[np.int64]


@cache
def integer_tables(distribution: str) -> IntegerTables:
    """The tables of a distribution.

    Source: none, ours. A symbol's frequency is its probability times 2^16, rounded, at least 1;
    symbol 0 has what is left. The reach is the largest distance that is expected at least once in
    2^16.

    Args:
        distribution: one of `DISTRIBUTIONS`.

    Example:
        >>> tables = integer_tables("laplace")
        >>> tables.reaches[[0, -1]].tolist(), len(tables.starts)
        ([0, 221], 6488)
    """
    firsts, reaches, starts = [], [], [np.zeros(0, np.int64)]
    at = 0
    for scale in range(LEAST_SCALE, LAST_TABLE + 1):
        frequencies = _frequencies(distribution, scale)
        firsts.append(at)
        reaches.append(len(frequencies) // 2 - 1)
        starts.append(np.cumsum([0, *frequencies], dtype=np.int64))
        at += len(frequencies) + 1
    return IntegerTables(np.array(firsts), np.array(reaches), np.concatenate(starts))


class Cost(NamedTuple):
    """What coding distances takes, in bits; both of their shape.

    Attributes:
        symbols: of the tables' symbols, and of bits that are sent plainly beside them.
        escapes: of what follows a symbol for distances beyond the table's reach.
    """

    symbols: Tensor
    escapes: Tensor


def coded_bits(distances: Tensor, scales: Tensor, distribution: str = "laplace") -> Cost:
    """What coding distances takes.

    Source: none, ours; the escape is an exponential Golomb code (Teuhola 1978).

    Args:
        distances: int64, in bins, at most 2^52 in size.
        scales: int64, same shape, `LEAST_SCALE` to `LARGEST_SCALE`.
        distribution: one of `DISTRIBUTIONS`.

    Example:
        >>> coded_bits(torch.tensor([0, 3, 40]), torch.tensor([0, 0, 0])).symbols.round(decimals=2)
        tensor([ 1.3800,  5.1900, 16.0000], dtype=torch.float64)
    """
    firsts, reaches, costs = _on_device(distribution, distances.device)
    shifts = ((scales - LAST_TABLE + PER_OCTAVE - 1) // PER_OCTAVE).clamp(min=0)
    tabled = scales - PER_OCTAVE * shifts
    moved = (distances + ((1 << shifts) >> 1)) >> shifts
    reach = reaches[tabled - LEAST_SCALE]
    inside = torch.minimum(torch.maximum(moved, -reach - 1), reach + 1)
    symbols = costs[firsts[tabled - LEAST_SCALE] + reach + 1 + inside] + shifts
    orders = (tabled // PER_OCTAVE).clamp(min=0)
    beyond = (moved.abs() - reach - 1).clamp(min=0)
    exponents = torch.frexp(((beyond >> orders) + 1).to(costs.dtype)).exponent
    # frexp's fraction is in [1/2, 1): floor(log2) is one less than its exponent.
    escapes = torch.where(moved.abs() > reach, 2 * exponents - 1 + orders, 0)
    return Cost(symbols, escapes.to(costs.dtype))


@cache
def symbol_bits(distribution: str) -> NDArray[np.float64]:
    """Bits of each symbol, where its start stands in the tables' starts."""
    starts = integer_tables(distribution).starts
    frequencies = np.diff(starts, append=1)
    # Behind a table's last symbol stands no other.
    return FREQUENCY_BITS - np.log2(np.maximum(frequencies, 1))


@cache
def _on_device(distribution: str, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    tables = integer_tables(distribution)
    costs = torch.from_numpy(symbol_bits(distribution)).to(device, accumulation_dtype(device))
    firsts, reaches = (torch.from_numpy(item).to(device) for item in tables[:2])
    return firsts, reaches, costs


def _frequencies(distribution: str, scale: int) -> list[int]:
    """Of a table's symbols in order."""
    tails = _tails(distribution, scale)
    inner, tail = list[int](), tails[0]
    for following in tails[1:]:
        inner.append(max(1, _frequency(tail - following)))
        tail = following
    side = [max(1, _frequency(tail)), *reversed(inner)]
    middle = (1 << FREQUENCY_BITS) - 2 * sum(side)
    return [*side, middle, *reversed(side)]


def _tails(distribution: str, scale: int) -> list[int]:
    """Probability of distances of 1 and more, 2 and more, up to beyond the reach; fixed point."""
    # The exponential of minus half a bin over the scale.
    half = _exponential((_ONE << _POINT) // (2 * scale_in_bins(scale)))
    tails = list[int]()
    power = half
    for _ in count():
        tail = power // 2 if distribution == "laplace" else (power << _POINT) // (_ONE + power)
        tails.append(tail)
        if len(tails) > 1 and tails[-2] - tail < _ONE >> FREQUENCY_BITS:
            return tails[:-1]
        power = (((power * half) >> _POINT) * half) >> _POINT
    raise AssertionError


def scale_in_bins(scale: int) -> int:
    """2^(scale/8) + 1/32, in units of 2^-96."""
    octave, eighth = divmod(scale, PER_OCTAVE)
    # The square root of the square root of the square root, each rounded down.
    root = math.isqrt(math.isqrt(math.isqrt(1 << (eighth + PER_OCTAVE * _POINT))))
    return (root << octave if octave >= 0 else root >> -octave) + (_ONE >> 5)


def _exponential(exponent: int) -> int:
    """Of minus a fixed-point number."""
    reduced = exponent >> _HALVINGS
    total, term = 0, _ONE
    for number in count(1):
        total += term
        term = -((term * reduced) >> _POINT) // number
        if abs(term) <= 1:
            break
    for _ in range(_HALVINGS):
        total = (total * total) >> _POINT
    return total


def _frequency(probability: int) -> int:
    return ((probability << FREQUENCY_BITS) + (_ONE >> 1)) >> _POINT

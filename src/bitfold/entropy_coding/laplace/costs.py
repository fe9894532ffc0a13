"""The bits that weights take by the integer tables, as tensors on any device."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from bitfold.entropy_coding.laplace.tables import LAST_TABLE, integer_tables, table_bits
from bitfold.entropy_coding.scales.whole_scales import LEAST_SCALE, PER_OCTAVE
from bitfold.runtime.accumulation_dtype import accumulation_dtype


class Cost(NamedTuple):
    """The bits that coding distances takes; both fields have the shape of the distances.

    Attributes:
        symbols: of the tables' symbols, and of plain low bits.
        escapes: of the Golomb numbers that follow the symbols of distances beyond the reach.
    """

    symbols: Tensor
    escapes: Tensor


def coded_bits(distances: Tensor, scales: Tensor, distribution: str = "laplace") -> Cost:
    """The bits that `laplace.tensors` takes for distances, one by one.

    Args:
        distances: int64, in bins, at most 2^52 in size.
        scales: int64, same shape, `LEAST_SCALE` to `LARGEST_SCALE`.
        distribution: one of `DISTRIBUTIONS`.

    Example:
        >>> coded_bits(torch.tensor([0, 3, 40]), torch.tensor([0, 0, 0])).symbols.round(decimals=2)
        tensor([ 1.3800,  5.1900, 16.0000], dtype=torch.float64)
    """
    firsts, reaches, costs = _tables_on(distances.device, distribution)
    tabled, moved, shifts = scales, distances, None
    if bool((scales > LAST_TABLE).any()):
        shifts = ((scales - LAST_TABLE + PER_OCTAVE - 1) // PER_OCTAVE).clamp(min=0)
        tabled = scales - PER_OCTAVE * shifts
        moved = (distances + ((1 << shifts) >> 1)) >> shifts
    rows = tabled - LEAST_SCALE
    reach = reaches[rows]
    starts = firsts[rows] + reach + 1
    is_beyond = moved.abs() > reach
    # Most tensors have neither long scales nor distances beyond the reach: half of the work is for
    # these.
    if not bool(is_beyond.any()):
        symbols = costs[starts + moved]
        escapes = torch.zeros_like(symbols)
    else:
        symbols = costs[starts + torch.minimum(torch.maximum(moved, -reach - 1), reach + 1)]
        escapes = _escape_bits(moved, reach, tabled).where(is_beyond, 0).to(costs.dtype)
    return Cost(symbols if shifts is None else symbols + shifts, escapes)


def _escape_bits(moved: Tensor, reach: Tensor, tabled: Tensor) -> Tensor:
    """The bits of the Golomb numbers of distances beyond the reach; any number for others."""
    orders = (tabled // PER_OCTAVE).clamp(min=0)
    beyond = (moved.abs() - reach - 1).clamp(min=0)
    # frexp's fraction is in [1/2, 1): floor(log2) is one less than its exponent.
    exponents = torch.frexp(((beyond >> orders) + 1).to(accumulation_dtype(moved.device))).exponent
    return 2 * exponents - 1 + orders


@cache
def _tables_on(device: torch.device, distribution: str) -> tuple[Tensor, Tensor, Tensor]:
    tables = integer_tables(distribution)
    costs = torch.from_numpy(table_bits(distribution)).to(device, accumulation_dtype(device))
    firsts, reaches = (torch.from_numpy(item).to(device) for item in tables[:2])
    return firsts, reaches, costs

"""The hard bits of tensors under scales as sent, by compiled loops in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from bitfold.entropy_coding.scales.whole_scales import WholeScales
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.weights.parameters import ParameterTable

Ints = NDArray[np.int64]
Weights = NDArray[np.float32]

# Small tensors are copied one behind the other up to this many weights, since a call of a loop
# costs more than they do. Larger ones are read where they lie.
_MOST_COPIED = 2**16


class Coded(NamedTuple):
    """Weights that compiled loops can read, and how they become bins.

    Attributes:
        views: each tensor's weights that lie here, (n,) each.
        steps: of each tensor, as sent; 1 if the bins are in the units of the weights.
        grid: see `hard_kernels.Grid`.
        boxes: see `scale_table`.
    """

    views: Sequence[Weights]
    steps: NDArray[np.float64]
    grid: tuple[tuple[float, float], float, int, int]
    boxes: Ints

    @classmethod
    def of(cls, table: ParameterTable, weight_range: WeightRange, boxes: Ints) -> Coded | None:
        """Return the weights of a table; None if compiled loops cannot read them."""
        views = table.plain_views()
        if views is None:
            return None
        bins, steps = weight_range.bins, weight_range.steps(as_sent=True)
        lengths = np.ones(len(views)) if steps is None else steps.double().numpy()
        grid = ((bins.minimum, bins.maximum), bins.width, bins.num_bins - 1, bins.origin)
        return cls(views, lengths, grid, boxes)

    def stretches(self) -> Iterator[tuple[Any, ...]]:
        """Yield consecutive tensors, see `hard_kernels.Stretch`."""
        first = 0
        while first < len(self.views):
            stop, size = first + 1, len(self.views[first])
            while stop < len(self.views) and size + len(self.views[stop]) <= _MOST_COPIED:
                size += len(self.views[stop])
                stop += 1
            some = self.views[first:stop]
            weights = some[0] if len(some) == 1 else np.concatenate(some)
            yield weights, self.steps, self.grid, self.boxes, first, stop
            first = stop


def used_factors(coded: Coded, locations: Ints, num_factors: int) -> NDArray[np.bool_]:
    """Which tensors, rows and columns have a weight that decodes as another bin's number.

    Args:
        coded: the weights.
        locations: the number of the bin that does not count, of each tensor.
        num_factors: how many there are, as `scale_table` counts them; the last one stands for lines
            that are not there.
    """
    # Numba takes 0.4 s to import: only those who count bits import it.
    from bitfold.kolmogorov.sums.hard_kernels import mark_used  # noqa: PLC0415 - see above

    used = np.zeros(num_factors, np.bool_)
    for stretch in coded.stretches():
        mark_used(stretch, locations, used)
    return used


def scaled_bits(
    table: ParameterTable,
    weight_range: WeightRange,
    boxes: Ints,
    scales: WholeScales,
    distribution: str,
) -> list[tuple[float, float]] | None:
    """The bits that a model file takes for the weights of each tensor.

    Args:
        table: the described parameters.
        weight_range: turns them into values.
        boxes: of the tensors, see `scale_table`.
        scales: as sent.
        distribution: of the integer tables.

    Returns:
        The bits of symbols and of escapes of each whole tensor, NaN if a weight is not finite; None
        if compiled loops cannot read the weights.
    """
    coded = Coded.of(table, weight_range, boxes)
    if coded is None:
        return None
    # As above.
    from bitfold.entropy_coding.laplace.tables import (  # noqa: PLC0415 - see above
        integer_tables,
        table_bits,
    )
    from bitfold.kolmogorov.sums.hard_kernels import sum_hard_bits  # noqa: PLC0415 - see above

    bits, tables = (
        np.zeros((len(boxes), 2)),
        (integer_tables(distribution), table_bits(distribution)),
    )
    own = (scales.locations, scales.exponents)
    for stretch in coded.stretches():
        sum_hard_bits(stretch, own, tables, bits)
    (sums,) = table.shards.totals([torch.from_numpy(bits)])
    return [(symbols, escapes) for symbols, escapes in sums.tolist()]

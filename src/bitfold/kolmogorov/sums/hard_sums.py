"""The hard bits of tensors under scales as sent, by compiled loops in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from bitfold.entropy_coding.scales.whole_scales import SentScale
from bitfold.kolmogorov.grid.rounding import count_plainly
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.shards import Held

# About how many weights are counted at a time: their numbers stay in the processor's cache.
_PART = 2**14


def scaled_bits(
    table: ParameterTable,
    weight_range: WeightRange,
    scales: Sequence[SentScale],
    distribution: str,
) -> list[tuple[float, float]] | None:
    """The bits that a model file takes for the weights of each tensor.

    Args:
        table: the described parameters.
        weight_range: turns them into values.
        scales: of each tensor.
        distribution: of the integer tables.

    Returns:
        The bits of symbols and of escapes of each whole tensor, NaN if a weight is not finite; None
        if compiled loops cannot read the weights.
    """
    views = table.plain_views()
    if views is None:
        return None
    # Numba takes 0.4 s to import: only those who count bits import it.
    from bitfold.entropy_coding.laplace.tables import table_bits  # noqa: PLC0415 - see above
    from bitfold.entropy_coding.laplace.tensors import (  # noqa: PLC0415 - see above
        model_of,
        symbol_and_escape_bits,
    )

    costs, steps = table_bits(distribution), weight_range.steps(as_sent=True)
    lengths = [1.0] * len(scales) if steps is None else steps.tolist()
    found = list[tuple[float, float]]()
    for weights, held, scale, step in zip(views, table.layout.held, scales, lengths, strict=True):
        box, own = held.box, _of_part(scale, held)
        model = model_of(own, box.in_memory, box.is_transposed, distribution)
        together = model[1][4]
        part, first, sums = together * max(1, _PART // together), 0, [(0.0, 0.0)]
        for numbers, are_finite in count_plainly(weights, step, weight_range.bins, part):
            bits = symbol_and_escape_bits(numbers, first, model, costs)
            sums.append(bits if are_finite else (math.nan, math.nan))
            first += len(numbers)
        symbols, escapes = map(math.fsum, zip(*sums, strict=True))
        found.append((symbols, escapes))
    (sums_of_all,) = table.shards.totals([torch.tensor(found, dtype=torch.float64, device="cpu")])
    return [(symbols, escapes) for symbols, escapes in sums_of_all.tolist()]


def _of_part(scale: SentScale, held: Held) -> SentScale:
    """The scale of the part of a tensor that lies here, with the lines of this part."""
    lines = [
        side._replace(exponents=side.exponents[held.lines(axis)])
        for axis, side in enumerate(scale.lines)
    ]
    return scale._replace(lines=tuple(lines))

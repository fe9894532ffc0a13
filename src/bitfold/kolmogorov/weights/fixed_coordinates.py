"""Coordinates of weights in fixed point."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.fixed_point.network import FRACTION_BITS
from bitfold.kolmogorov.weights.layout import Block

Ints = NDArray[np.int64]


def fixed_coordinates(
    blocks: Sequence[Block], located: Sequence[Ints], chosen: Sequence[int]
) -> Ints:
    """Coordinates of weights with `FRACTION_BITS` behind the point, rounded down.

    Args:
        blocks: of the module's described parameters.
        located: number of the block, output, input and kernel offset of each weight: (n,) each.
        chosen: which of the five coordinates, see `Layout.positions`.

    Returns:
        int64 (n, coordinates), 0 to 2^16.
    """
    boxes, *places = located
    lasts = np.array([block[2:5] for block in blocks], np.int64).T - 1
    layers = np.array([block.layer for block in blocks], np.int64)
    kinds = np.array([int(block.kind * 2**FRACTION_BITS) for block in blocks], np.int64)
    columns: list[Ints] = []
    for number in chosen:
        if number in (1, 2, 3):
            last = np.maximum(lasts[number - 1], 1)[boxes]
            columns.append((places[number - 1] << FRACTION_BITS) // last)
        elif number == 0:
            columns.append(((layers << FRACTION_BITS) // max(int(layers.max()), 1))[boxes])
        else:
            columns.append(kinds[boxes])
    return np.stack(columns, axis=1)

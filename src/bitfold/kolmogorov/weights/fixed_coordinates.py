"""Positions of weights in fixed point, as decoders compute them."""

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
        blocks: of the described parameters.
        located: number of the block, output, input and kernel offset of each weight: (n,) each.
        chosen: numbers of the wanted coordinates, see `Layout.positions`.

    Returns:
        int64 (n, coordinates), 0 to 2^16.
    """
    numbers, *indices = located
    lasts = np.array([block.box[:3] for block in blocks], np.int64).T - 1
    layers = np.array([block.layer for block in blocks], np.int64)
    kinds = np.array([int(block.kind * 2**FRACTION_BITS) for block in blocks], np.int64)
    columns: list[Ints] = []
    for coordinate in chosen:
        if coordinate in (1, 2, 3):
            last = np.maximum(lasts[coordinate - 1], 1)[numbers]
            columns.append((indices[coordinate - 1] << FRACTION_BITS) // last)
        elif coordinate == 0:
            columns.append(((layers << FRACTION_BITS) // max(int(layers.max()), 1))[numbers])
        else:
            columns.append(kinds[numbers])
    return np.stack(columns, axis=1)

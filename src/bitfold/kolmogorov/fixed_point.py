"""The coordinate predictor in fixed point: from weights' places to the bits of their bins.

A floating-point network gives other last bits on another machine, and a decoder that gets another
probability reads nothing but noise from then on. So what is sent is whole numbers (`sent_network`),
and everything from a weight's place to the frequency of its bin is integer arithmetic that no
input can make overflow: K's hard bits and the model file share it. docs/file-format.md specifies it
to the bit.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bitfold.kolmogorov.layout import Block
from bitfold.kolmogorov.sent_network import FRACTION_BITS, FixedNetwork
from bitfold.parts import in_order, parts_of

Ints = NDArray[np.int64]

# A part of the weights is worth a thread of its own from this many on.
_PART_WEIGHTS = 4096


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


def fixed_bits(network: FixedNetwork, coordinates: Ints, bins: Ints) -> NDArray[np.float64]:
    """What coding bins takes: minus the binary logarithm of their frequencies over 2^16.

    Source: C. E. Shannon, 1948.

    Args:
        network: its last width is the number of bins, 2 to 65,536.
        coordinates: int64 (n, coordinates), see `fixed_coordinates`.
        bins: int64 (n,).

    Returns:
        Bits (n,), at most 16 (for more than 1,024 bins 32).
    """
    # Numba takes half a second to import, so only those who count such bits import it.
    from bitfold.kolmogorov.fixed_point_kernels import count_bits  # noqa: PLC0415

    bits = np.empty(len(bins))

    def count_part(part: tuple[int, int]) -> None:
        some = slice(*part)
        count_bits(network, coordinates[some], bins[some], bits[some])

    in_order(count_part, parts_of(0, len(bins), _PART_WEIGHTS, 0))
    return bits

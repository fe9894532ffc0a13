"""The coordinate predictor in fixed point: from weights' places to the bits of their bins.

A floating-point network gives other last bits on another machine, and a decoder that gets another
probability reads nothing but noise from then on. So what is sent is whole numbers (`sent_network`),
and everything from a weight's place to the frequency of its bin is integer arithmetic that no
input can make overflow: K's hard bits and the model file share it. docs/file-format.md specifies it
to the bit.
"""

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.fixed_point_syntax import FixedNetwork
from bitfold.runtime.threads import in_order, parts_of

Ints = NDArray[np.int64]

# A part of the weights is worth a thread of its own from this many on.
_PART_WEIGHTS = 4096


def fixed_bits(network: FixedNetwork, coordinates: Ints, bins: Ints) -> NDArray[np.float64]:
    """What coding bins takes: minus the binary logarithm of their frequencies over 2^16.

    Source: C. E. Shannon, 1948.

    Args:
        network: its last width is the number of bins, 2 to 65,536.
        coordinates: int64 (n, coordinates), with `FRACTION_BITS` behind the point.
        bins: int64 (n,).

    Returns:
        Bits (n,), at most 16 (for more than 1,024 bins 32).
    """
    # Numba takes half a second to import, so only those who count such bits import it.
    from bitfold.entropy_coding.fixed_point_kernels import count_bits  # noqa: PLC0415

    bits = np.empty(len(bins))

    def count_part(part: tuple[int, int]) -> None:
        some = slice(*part)
        count_bits(network, coordinates[some], bins[some], bits[some])

    in_order(count_part, parts_of(0, len(bins), _PART_WEIGHTS, 0))
    return bits

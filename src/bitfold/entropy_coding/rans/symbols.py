"""The coder's symbols. Importing this module imports Numba.

A symbol is an interval of 0 to 2^16: it starts somewhere and is as long as its frequency.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled

Symbols = NDArray[np.uint32]
"""One element for each symbol: ``start + 2**16 * (frequency - 1)``."""

#: Frequencies of all symbols at one place add up to this.
TOTAL: Final = 1 << 16
MASK: Final = TOTAL - 1


@compiled(inline="always")
def packed(start: int, end: int) -> int:
    """The symbol from ``start`` to before ``end``, as an element of `Symbols`."""
    return start | ((end - start - 1) << 16)


def symbol_bits(symbols: Symbols) -> float:
    """The bits that symbols take: minus the binary logarithm of each one's frequency over 2^16.

    Source: C. E. Shannon, 1948.
    """
    return float((16 - np.log2((symbols >> np.uint32(16)) + 1.0)).sum())

"""Bits of words, for compiled loops. Importing this module imports Numba."""

import numpy as np

from bitfold.runtime.inlining import inlined

ONE, EVERY = np.uint64(1), ~np.uint64(0)
_EVERY_SECOND = np.uint64(0x5555555555555555)
_PAIRS = np.uint64(0x3333333333333333)
_NIBBLES = np.uint64(0x0F0F0F0F0F0F0F0F)
_BYTES = np.uint64(0x0101010101010101)


@inlined
def count_bits(word: np.uint64) -> int:
    """Count the bits that are set."""
    word = word - ((word >> ONE) & _EVERY_SECOND)
    word = (word & _PAIRS) + ((word >> np.uint64(2)) & _PAIRS)
    word = (word + (word >> np.uint64(4))) & _NIBBLES
    count: int = np.int64((word * _BYTES) >> np.uint64(56))  # type: ignore[assignment] # Numba's type
    return count


@inlined
def lowest_bit(word: np.uint64) -> int:
    """Return the number of the lowest bit that is set."""
    return count_bits((word & (~word + ONE)) - ONE)


@inlined
def bit_of(neuron: int) -> np.uint64:
    """Return the bit of a neuron within its word."""
    return ONE << np.uint64(neuron & 63)

"""Flags of a given probability, written and read. Importing this module imports Numba."""

from bitfold.entropy_coding.rans.coder import State, Words, slot, take
from bitfold.entropy_coding.rans.symbols import TOTAL, Symbols, packed
from bitfold.runtime.compiling import compiled


@compiled(inline="always")
def put_flag(out: Symbols, at: int, flag: int, zeros: int) -> int:
    """Append a flag, 0 or 1, whose probability of being 0 is ``zeros / 2**16``.

    An empty ``out`` only counts. Returns the new end.
    """
    if len(out):
        out[at] = packed(zeros, TOTAL) if flag else packed(0, zeros)
    return at + 1


@compiled(inline="always")
def get_flag(state: State, words: Words, zeros: int) -> int:
    """Read a flag that `put_flag` wrote."""
    flag = 1 if slot(state, words) >= zeros else 0
    take(state, words, zeros if flag else 0, TOTAL - zeros if flag else zeros)
    return flag

"""Whether numbers lie on a trellis."""

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.contexts.tensors import Shape, flagged
from bitfold.entropy_coding.trellis.states import NEXT, place_of, quantiser_of

Ints = NDArray[np.int64]


def is_on_trellis(numbers: Ints, shape: Shape) -> bool:
    """Return whether each number is one of its quantiser, column by column.

    Columns of zeros that share a flag are left out.
    """
    outer, inner, together = shape
    groups = numbers.reshape(outer, inner, together).transpose(1, 2, 0)
    has_flags, state = 1 in flagged(shape), 0
    for group in groups:
        if has_flags and not group.any():
            continue
        for number in group.reshape(-1).tolist():
            quantiser = quantiser_of(state)
            if number and number & 1 != quantiser:
                return False
            state = NEXT[state, place_of(number, quantiser) & 1]
    return True

"""A compiled loop over the pixels of a raster: which of them lie on folds.

Arrays have the pixel last, so that LLVM vectorises over pixels. Importing this imports Numba.
"""

import numpy as np
import numpy.typing as npt

from bitfold.runtime.compiling import compiled


@compiled
def find_folds(
    patterns: npt.NDArray[np.uint64],
    is_first_band: bool,
    folds: npt.NDArray[np.bool_],
    is_new: npt.NDArray[np.bool_],
) -> None:
    """Mark the fold pixels of a band of rows, and the pixels whose pattern may be new.

    Args:
        patterns: uint64 (words, height + 2, width + 2), of the band and one ring of pixels around
            it.
        is_first_band: whether the row above the band is outside the raster.
        folds: bool (height, width), written: whether a pixel's pattern differs from that of its
            right or lower neighbour. In the raster's left column and top row, also whether it
            differs from that of the adjacent pixel of the ring.
        is_new: bool (height, width), written: whether a pixel's pattern differs from those of its
            left and upper neighbours within the raster. By induction in reading order, these pixels
            have every pattern of the raster.
    """
    num_words, height, width = patterns.shape[0], folds.shape[0], folds.shape[1]
    right = np.empty(width + 1, np.bool_)
    upper = np.empty(width, np.bool_)
    lower = np.empty(width, np.bool_)
    for row in range(-1, height):
        # right[c]: ring column c differs from column c + 1 in raster row `row`
        right[:] = False
        lower[:] = False
        for w in range(num_words):
            here, below = patterns[w, row + 1], patterns[w, row + 2]
            for c in range(width + 1):
                right[c] |= here[c] != here[c + 1]
            for c in range(width):
                lower[c] |= here[c + 1] != below[c + 1]
        if row >= 0:
            is_top = is_first_band and row == 0
            for c in range(width):
                folds[row, c] = right[c + 1] | lower[c] | (is_top & upper[c])
                is_new[row, c] = right[c] & (upper[c] | is_top)
            folds[row, 0] |= right[0]
            is_new[row, 0] = upper[0] | is_top
        upper, lower = lower, upper

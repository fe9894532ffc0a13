"""The compiled loop that follows folds. Importing this module imports Numba."""

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled

Longs = NDArray[np.int64]


@compiled
def follow_ends(ends: Longs, partners: Longs, points: Longs, offsets: Longs, firsts: Longs) -> int:
    """Chain edges to lines.

    Args:
        ends: (2 edges,), the vertices of edge k at 2 k and 2 k + 1.
        partners: (2 edges,), for each end of an edge the end of the next edge; -1 at a line's end.
        points: (2 edges,), written: the vertices of all lines.
        offsets: (edges + 1,), written: where each line begins in ``points``.
        firsts: (edges,), written: the first edge of each line.

    Returns:
        The number of lines.
    """
    used = np.zeros(len(ends) // 2, np.bool_)
    num_lines = count = 0
    # Open lines first, from their ends; the edges that remain form closed lines.
    for is_closed in (False, True):
        for start in range(len(ends)):
            if used[start >> 1] or (partners[start] >= 0 and not is_closed):
                continue
            points[count] = ends[start]
            count += 1
            firsts[num_lines] = start >> 1
            end = start
            while end >= 0 and not used[end >> 1]:
                used[end >> 1] = True
                points[count] = ends[end ^ 1]
                count += 1
                end = partners[end ^ 1]
            num_lines += 1
            offsets[num_lines] = count
    return num_lines

"""The scales of a tensor's rows and columns as products of their mean distances: a rank-1 fit."""

from typing import NamedTuple

import torch
from torch import Tensor

from bitfold.kolmogorov.weights.box import Box
from bitfold.kolmogorov.weights.shards import Held, Shards, Whole


class LineMeans(NamedTuple):
    """Mean distances of a tensor, of its rows and of its columns.

    Attributes:
        mean: over the weights in used rows and columns: 0-d.
        rows: each row's mean over the tensor's; 1 for rows that are not used: (rows,).
        columns: likewise: (columns,).
        in_rows: whether each row is used: bool (rows,).
        in_columns: likewise: bool (columns,).
    """

    mean: Tensor
    rows: Tensor
    columns: Tensor
    in_rows: Tensor
    in_columns: Tensor


def line_means(
    distances: Tensor, is_used: Tensor, held: Held | None = None, shards: Shards | None = None
) -> LineMeans:
    """Fit the scales of rows and columns in one pass, without a loop.

    If weight (i, j) has the scale r_i * c_j, the mean of row i is proportional to r_i, and the mean
    of column j to c_j. Rows and columns that are not used count for no other row or column.

    Args:
        distances: mean distances from the location, floating (rows, columns), above 0; of the part
            of the tensor that lies here.
        is_used: whether any weight is not at the location: bool (rows, columns); likewise.
        held: that part; None: the whole tensor.
        shards: how the tensor is divided; None: not at all.

    Returns:
        The means of all rows and columns, on every process.

    Example:
        >>> sizes = torch.tensor([[2.0, 4.0], [6.0, 12.0]])
        >>> found = line_means(sizes, sizes > 0)
        >>> found.mean * found.rows[:, None] * found.columns
        tensor([[ 2.,  4.],
                [ 6., 12.]])
    """
    whole = Box(distances.shape[0], distances.shape[1], 1)
    held, shards = held or Held(0, whole, whole), shards or Whole()
    in_rows, in_columns = shards.any([held.spread(is_used.any(1 - axis), axis) for axis in (0, 1)])
    here = in_rows[held.lines(0)].unsqueeze(1) & in_columns[held.lines(1)]
    share = here.to(distances.dtype)
    sums = [item.sum(1 - axis) for axis in (0, 1) for item in (distances * share, share)]
    spread = [held.spread(item, number // 2) for number, item in enumerate(sums)]
    total, count, *of_lines = shards.totals([(distances * share).sum(), share.sum(), *spread])
    count = count.clamp(min=1)
    rows, columns = (
        torch.where(used, of_lines[at] / of_lines[at + 1].clamp(min=1) * count / total, 1)
        for at, used in ((0, in_rows), (2, in_columns))
    )
    return LineMeans(total / count, rows, columns, in_rows, in_columns)

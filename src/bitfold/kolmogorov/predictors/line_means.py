"""The scales of a tensor's rows and columns as products of their mean distances: a rank-1 fit."""

from typing import NamedTuple

import torch
from torch import Tensor


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


def line_means(distances: Tensor, is_used: Tensor) -> LineMeans:
    """Fit the scales of rows and columns in one pass, without a loop.

    If weight (i, j) has the scale r_i * c_j, the mean of row i is proportional to r_i, and the mean
    of column j to c_j. Rows and columns that are not used count for no other row or column.

    Args:
        distances: mean distances from the location, floating (rows, columns), above 0.
        is_used: whether any weight is not at the location: bool (rows, columns).

    Example:
        >>> sizes = torch.tensor([[2.0, 4.0], [6.0, 12.0]])
        >>> found = line_means(sizes, sizes > 0)
        >>> found.mean * found.rows[:, None] * found.columns
        tensor([[ 2.,  4.],
                [ 6., 12.]])
    """
    in_rows, in_columns = is_used.any(1), is_used.any(0)
    share = (in_rows.unsqueeze(1) & in_columns).to(distances.dtype)
    total, count = (distances * share).sum(), share.sum().clamp(min=1)
    rows, columns = (
        torch.where(
            used,
            (distances * share).sum(side) / share.sum(side).clamp(min=1) * count / total,
            1,
        )
        for side, used in ((1, in_rows), (0, in_columns))
    )
    return LineMeans(total / count, rows, columns, in_rows, in_columns)

"""The row-column predictor: a scale from the weight's tensor, row and column."""

import torch
from torch import Tensor, nn

from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.predictors.laplace_logistic import HALF_BIN, MEAN_DISTANCE, ScalePredictor
from bitfold.kolmogorov.predictors.line_means import line_means
from bitfold.kolmogorov.predictors.scale_fit import SCALE_FLOOR
from bitfold.kolmogorov.sums.scale_sums import scale_table
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.kolmogorov.weights.weight_subset import WeightSubset


class RowColumnPredictor(ScalePredictor):
    """A scale that is the product of the scales of the weight's tensor, row and column.

    Rows are outputs and columns inputs; all offsets of a kernel share them. Tensors of one row or
    one column, such as biases, have only the tensor's scale: a scale for each weight would cost as
    much as the weight. The factors are a rank-1 model of the logarithms of scales.

    Args:
        distribution: ``"laplace"`` or ``"logistic"``.
        is_centred: whether all locations are 0.

    Example:
        >>> from bitfold.kolmogorov import KolmogorovLoss
        >>> kolmogorov = KolmogorovLoss(nn.Linear(30, 20), predictor=RowColumnPredictor())
        >>> [parameter.numel() for parameter in kolmogorov.predictor.parameters()]
        [2, 20, 30]
    """

    option_name = "row_column"
    option_rank = 1
    file_method = "rows and columns"
    line_names = ("row_log_scale", "column_log_scale")

    row_starts: Tensor
    column_starts: Tensor

    def attach(self, layout: Layout, bins: Bins, generator: torch.Generator | None) -> None:
        """Make a factor for each row and column too."""
        super().attach(layout, bins, generator)
        rows = columns = 0
        for number, block in enumerate(layout.blocks):
            if block.box.line_counts:
                self.first_rows[number], self.first_columns[number] = rows, columns
                rows, columns = rows + block.box.num_outputs, columns + block.box.num_inputs
        self.table = scale_table(layout, self.first_rows, self.first_columns)
        # Kept on the device, so that no step waits for a transfer.
        self.register_buffer("row_starts", _starts(self.first_rows), persistent=False)
        self.register_buffer("column_starts", _starts(self.first_columns), persistent=False)
        self.row_log_scale = nn.Parameter(torch.zeros(rows, device="cpu"))
        self.column_log_scale = nn.Parameter(torch.zeros(columns, device="cpu"))

    def log_factors(self) -> list[Tensor]:
        """The logarithms of the tensors' scales, of the rows' and of the columns'."""
        return [self.log_scale, self.row_log_scale, self.column_log_scale]

    def sent_scales(self, subset: WeightSubset, as_sent: dict[str, Tensor]) -> Tensor:
        """The sum of the exponents of the weight's tensor, row and column."""
        blocks, by_rows = subset.block_numbers, as_sent["row_log_scale"]
        by_columns = as_sent["column_log_scale"]
        rows = _numbers(self.row_starts[blocks], subset.outputs, len(by_rows))
        columns = _numbers(self.column_starts[blocks], subset.inputs, len(by_columns))
        return as_sent["log_scale"][blocks] + _padded(by_rows)[rows] + _padded(by_columns)[columns]

    def log_scales(self, subset: WeightSubset) -> Tensor:
        """The sum of the log-scales of the weight's tensor, row and column."""
        blocks = subset.block_numbers
        by_rows, by_columns = self.row_log_scale, self.column_log_scale
        rows = _numbers(self.row_starts[blocks], subset.outputs, len(by_rows))
        columns = _numbers(self.column_starts[blocks], subset.inputs, len(by_columns))
        log_scales = self.log_scale.index_select(0, blocks) + _padded(by_rows).index_select(0, rows)
        return log_scales + _padded(by_columns).index_select(0, columns)

    def fit(self, subset: WeightSubset, values: Tensor) -> None:
        """Fit the tensors, then rows and columns by their mean distance over the tensor's.

        Rows and columns in which all weights lie at the location count for no other row or column,
        and begin at their tensor's scale: zeros before training are about to move. A decoder needs
        no scale of those that stay, and counts no bits for them.
        """
        super().fit(subset, values)
        distances, parts = values / self.bins.width, self.layout.starts
        for number, held in enumerate(self.layout.held):
            if not self.first_lines(number):
                continue
            part = slice(parts[number], parts[number + 1])
            sizes = (distances[part] - self.location[number]).abs() + SCALE_FLOOR
            by_offset = sizes.view(held.box.in_memory)
            means, tops = by_offset.mean(2), by_offset.amax(2)
            if held.box.is_transposed:
                means, tops = means.t(), tops.t()
            self._fit_lines(number, means, tops > HALF_BIN + SCALE_FLOOR)

    def _fit_lines(self, number: int, means: Tensor, is_used: Tensor) -> None:
        """Fit one tensor's factors to mean distances (rows, columns), where weights are used."""
        found = line_means(means, is_used, self.layout.held[number], self.layout.shards)
        sides = (
            (self.row_log_scale, found.rows),
            (self.column_log_scale, found.columns),
        )
        for (parameter, shares), first in zip(sides, self.first_lines(number), strict=True):
            parameter[first : first + len(shares)] = shares.log()
        if bool(found.in_rows.any()):
            self.log_scale[number] = (found.mean / MEAN_DISTANCE[self.distribution]).log()


def _padded(vector: Tensor) -> Tensor:
    """The vector with a 0 appended, for weights without a number in it."""
    return torch.cat([vector, vector.new_zeros(1)])


def _starts(firsts: list[int | None]) -> Tensor:
    """Number of each tensor's first row or column; -1 if it has none."""
    return torch.tensor([-1 if first is None else first for first in firsts], device="cpu")


def _numbers(starts: Tensor, within: Tensor, count: int) -> Tensor:
    """The number of each weight's row or column among all; ``count`` if it has none."""
    return torch.where(starts < 0, count, starts + within)

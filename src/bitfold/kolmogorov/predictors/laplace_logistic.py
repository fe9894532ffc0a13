"""Predictors of a location and a scale: one for each tensor, or one with rows and columns."""

import abc
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bitfold.entropy_coding.laplace.costs import coded_bits
from bitfold.entropy_coding.scales.whole_scales import ALIVE, LARGEST_SCALE, LEAST_SCALE
from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.bin_numbers import whole_numbers
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.predictors.line_means import line_means
from bitfold.kolmogorov.predictors.weight_predictor import Summed, WeightPredictor
from bitfold.kolmogorov.sums.log_mass import DISTRIBUTIONS
from bitfold.kolmogorov.sums.scale_sums import (
    ScaleModel,
    can_code_bins,
    can_sum_scales,
    code_bins,
    scale_table,
    sum_scales,
)
from bitfold.kolmogorov.sums.table_sums import can_read_table, sum_by_table
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.kolmogorov.weights.weight_subset import WeightSubset

# In bins: a weight in the bin of its location then costs 1e-7 nats, one beside it 16.
SCALE_FLOOR = 1 / 32
# The mean distance from the location, in scales.
_MEAN_DISTANCE = {"laplace": 1.0, "logistic": 2 * math.log(2)}
# The logarithm of a factor that leaves no more of any scale than its floor.
_LOG_NOTHING = -11.0


class ScalePredictor(WeightPredictor, abc.ABC):
    """A Laplace or logistic distribution, whose location each tensor has and whose scale is given.

    Locations and scales are measured in bins, locations from the value 0. A location is the bin of
    the tensor's median when the predictor is fitted. A scale is the exponential of what is learned,
    plus 1/32 of a bin.

    Source: none, ours.

    Args:
        distribution: ``"laplace"`` or ``"logistic"``.
        is_centred: whether all locations are 0, which then is the likeliest value.

    Raises:
        KolmogorovError: if there is no such distribution.
    """

    is_trusted = True

    line_names: tuple[str, ...] = ()
    """The parameters of rows and columns."""

    location: Tensor

    def __init__(self, distribution: str = "laplace", *, is_centred: bool = False) -> None:
        super().__init__()
        if distribution not in DISTRIBUTIONS:
            raise KolmogorovError(
                f"Cannot make a predictor: expected distribution to be one of "
                f"{', '.join(DISTRIBUTIONS)}, got {distribution!r}. Choose one of these."
            )
        self.distribution, self.is_centred = distribution, is_centred

    def attach(self, layout: Layout, bins: Bins, generator: torch.Generator | None) -> None:
        """Make a location and a scale for each tensor."""
        super().attach(layout, bins, generator)
        # Set by `fit` and not learned: K is flat where weights gather half-way between two bins.
        zeros = torch.zeros(len(layout.blocks))
        self.register_buffer("location", zeros, persistent=not self.is_centred)
        self.log_scale = nn.Parameter(torch.zeros(len(layout.blocks)))
        self.first_rows: list[int | None] = [None] * len(layout.blocks)
        self.first_columns: list[int | None] = [None] * len(layout.blocks)
        self.table = scale_table(layout, self.first_rows, self.first_columns)

    def _log_factors(self) -> list[Tensor]:
        """What the logarithms of scales are sums of, in the order of the parameters."""
        return [self.log_scale]

    def _model(self) -> ScaleModel:
        log_factors = torch.cat([*self._log_factors(), self.log_scale.new_zeros(1)])
        is_logistic = self.distribution == "logistic"
        return ScaleModel(self.table, self.location, log_factors, SCALE_FLOOR, is_logistic)

    @abc.abstractmethod
    def log_scales(self, subset: WeightSubset) -> Tensor:
        """The logarithm of each weight's scale, the floor not yet added: (n,)."""

    def forward(self, subset: WeightSubset, indices: Tensor) -> Tensor:
        """Minus the logarithm of the bins' masses; without a graph by compiled loops."""
        if can_code_bins(subset):
            nats = code_bins(self._model(), self.bins, subset, indices)
            return nats.to(self.location.dtype)
        scale = self.log_scales(subset).exp() + SCALE_FLOOR
        # Unlike indexing, index_select adds gradients up without sorting them first.
        location = self.location.index_select(0, subset.block_numbers)
        location = location - self.bins.minimum / self.bins.width
        last = self.bins.num_bins - 1
        log_mass = DISTRIBUTIONS[self.distribution]
        return -log_mass(indices - location, scale, indices == 0, indices == last)

    def hard_bits(
        self, subset: WeightSubset, values: Tensor, as_sent: dict[str, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """By the integer tables; beyond the range the bins are thought to go on.

        Args:
            subset: n weights.
            values: floating (n,), in the units of the bins.
            as_sent: whole numbers, see `scale_coding.as_parameters`; None: the distributions as
                they are.
        """
        if as_sent is None:
            return super().hard_bits(subset, values, as_sent)
        distances = whole_numbers(values, self.bins) - as_sent["location"][subset.block_numbers]
        scales = self.sent_scales(subset, as_sent)
        within = scales.clamp(LEAST_SCALE, LARGEST_SCALE)
        cost, is_dead = coded_bits(distances, within, self.distribution), scales < ALIVE
        not_finite = 0 * values
        symbols, escapes = (item.masked_fill(is_dead, 0) + not_finite for item in cost)
        return symbols, escapes

    def sent_scales(self, subset: WeightSubset, as_sent: dict[str, Tensor]) -> Tensor:
        """Each weight's scale as it is sent, below `ALIVE` if it has none: int64 (n,)."""
        return as_sent["log_scale"][subset.block_numbers]

    @property
    def fits_exactly(self) -> bool:
        """Whether `scale_fitting.fit_scales` fits it: Laplace distributions around 0."""
        return self.is_centred and self.distribution == "laplace"

    def first_lines(self, number: int) -> tuple[int, ...]:
        """Where a tensor's rows and columns begin in those of all; nothing if it has none."""
        row, column = self.first_rows[number], self.first_columns[number]
        return () if row is None or column is None else (row, column)

    def line_log_scales(self) -> list[Tensor]:
        """Logarithms of rows' and columns' factors, of all tensors together."""
        return [self.get_parameter(name).detach() for name in self.line_names]

    def summed(
        self, subset: WeightSubset, values: Tensor, targets: Targets, *, with_gradients: bool
    ) -> Summed:
        """The cost of weights in and out of range; by compiled loops where they take them."""
        if not can_sum_scales(subset, values, targets):
            return super().summed(subset, values, targets, with_gradients=with_gradients)
        model = self._model()
        found = sum_scales(model, self.bins, subset, values, targets, with_gradients=with_gradients)
        own = self._by_factors(found.grad_log_factors)
        return Summed(values.new_tensor(found.total, dtype=torch.float64), found.grad_values, own)

    def summed_in_steps(
        self, weights: Sequence[Tensor], steps: Tensor, targets: Targets
    ) -> tuple[Summed, Tensor] | None:
        """What `summed` and a range of learned steps do, in one pass, for what its loops take.

        Args:
            weights: of each tensor.
            steps: of each tensor: (tensors,).
            targets: how a weight is shared among bins.

        Returns:
            With gradients by weights in place of values, and the one by logarithms of steps; None
            if the loops do not take them.
        """
        if not self.is_centred:
            return None
        model, lengths = self._model(), steps.tolist()
        if not can_read_table(model, self.bins, weights, lengths, targets):
            return None
        found = sum_by_table(model, weights, lengths, targets)
        nats = torch.tensor(found.total, dtype=torch.float64)
        own = self._by_factors(found.grad_log_factors)
        return Summed(nats, found.grad_weights, own), found.grad_log_steps

    def _by_factors(self, gradient: Tensor) -> list[Tensor]:
        """The gradient by all logarithms of factors as those by the parameters."""
        sizes = [len(item) for item in self._log_factors()]
        pieces = torch.split(gradient, [*sizes, 1])[:-1]
        return [item.to(self.location.dtype) for item in pieces]

    def fit(self, subset: WeightSubset, values: Tensor) -> None:
        """Each tensor's median, and the mean distance from it as its scale."""
        distances = values / self.bins.width
        for number, whole, part in subset.pieces():
            del whole
            first = self.bins.minimum / self.bins.width
            centre = (distances[part].median() - first).round() + first
            if self.is_centred:
                centre = torch.zeros_like(centre)
            mean = (distances[part] - centre).abs().mean() / _MEAN_DISTANCE[self.distribution]
            self.location[number] = centre
            self.log_scale[number] = (mean + SCALE_FLOOR).log()


class PerTensorPredictor(ScalePredictor):
    """One location and scale for each tensor: the predictor that takes fewest bits itself.

    Source: none, ours.

    Args:
        distribution: ``"laplace"`` or ``"logistic"``.
        is_centred: whether all locations are 0.

    Example:
        >>> from bitfold.kolmogorov import KolmogorovLoss
        >>> kolmogorov = KolmogorovLoss(nn.Linear(30, 20), predictor=PerTensorPredictor())
        >>> sum(parameter.numel() for parameter in kolmogorov.predictor.parameters())
        2
    """

    def log_scales(self, subset: WeightSubset) -> Tensor:
        """The tensor's."""
        return self.log_scale.index_select(0, subset.block_numbers)


class RowColumnPredictor(ScalePredictor):
    """A scale that is the product of the tensor's, its row's and its column's.

    Rows are outputs and columns inputs; all offsets of a kernel share them. Tensors of one row or
    column, such as biases, have a scale of their own alone: a scale for each weight would cost as
    much as the weight.

    Source: none, ours; the factors are those of a rank-1 model of log-scales.

    Args:
        distribution: ``"laplace"`` or ``"logistic"``.
        is_centred: whether all locations are 0.

    Example:
        >>> from bitfold.kolmogorov import KolmogorovLoss
        >>> kolmogorov = KolmogorovLoss(nn.Linear(30, 20), predictor=RowColumnPredictor())
        >>> [parameter.numel() for parameter in kolmogorov.predictor.parameters()]
        [2, 20, 30]
    """

    row_starts: Tensor
    column_starts: Tensor
    line_names = ("row_log_scale", "column_log_scale")

    def attach(self, layout: Layout, bins: Bins, generator: torch.Generator | None) -> None:
        """Make a factor for each row and column too."""
        super().attach(layout, bins, generator)
        rows = columns = 0
        for number, block in enumerate(layout.blocks):
            if block.num_outputs > 1 and block.num_inputs > 1:
                self.first_rows[number], self.first_columns[number] = rows, columns
                rows, columns = rows + block.num_outputs, columns + block.num_inputs
        self.table = scale_table(layout, self.first_rows, self.first_columns)
        # Kept where they are needed, so that no step waits for them.
        self.register_buffer("row_starts", _starts(self.first_rows), persistent=False)
        self.register_buffer("column_starts", _starts(self.first_columns), persistent=False)
        self.row_log_scale = nn.Parameter(torch.zeros(rows))
        self.column_log_scale = nn.Parameter(torch.zeros(columns))

    def sent_scales(self, subset: WeightSubset, as_sent: dict[str, Tensor]) -> Tensor:
        """The sum of the tensor's, the row's and the column's."""
        boxes, by_rows = subset.block_numbers, as_sent["row_log_scale"]
        by_columns = as_sent["column_log_scale"]
        rows = _numbers(self.row_starts[boxes], subset.outputs, len(by_rows))
        columns = _numbers(self.column_starts[boxes], subset.inputs, len(by_columns))
        return as_sent["log_scale"][boxes] + _padded(by_rows)[rows] + _padded(by_columns)[columns]

    def log_scales(self, subset: WeightSubset) -> Tensor:
        """The sum of the tensor's, the row's and the column's."""
        boxes = subset.block_numbers
        by_rows, by_columns = self.row_log_scale, self.column_log_scale
        rows = _numbers(self.row_starts[boxes], subset.outputs, len(by_rows))
        columns = _numbers(self.column_starts[boxes], subset.inputs, len(by_columns))
        log_scales = self.log_scale.index_select(0, boxes) + _padded(by_rows).index_select(0, rows)
        return log_scales + _padded(by_columns).index_select(0, columns)

    def _log_factors(self) -> list[Tensor]:
        return [self.log_scale, self.row_log_scale, self.column_log_scale]

    def fit(self, subset: WeightSubset, values: Tensor) -> None:
        """As for tensors; rows and columns by their mean distance against the tensor's.

        Those in which nothing but the location lies get next to no scale, and count for no other.
        """
        super().fit(subset, values)
        distances = values / self.bins.width
        for number, _, part in subset.pieces():
            row, column = self.first_rows[number], self.first_columns[number]
            if row is None or column is None:
                continue
            block = self.layout.blocks[number]
            sizes = (distances[part] - self.location[number]).abs() + SCALE_FLOOR
            outputs, inputs = block.num_outputs, block.num_inputs
            shape = (inputs, outputs, -1) if block.is_transposed else (outputs, inputs, -1)
            box = sizes.view(shape)
            means, tops = box.mean(2), box.amax(2)
            table, most = (means.t(), tops.t()) if block.is_transposed else (means, tops)
            used = most > 0.5 + SCALE_FLOOR
            found = line_means(table, used)
            for parameter, first, means, is_used in (
                (self.row_log_scale, row, found.rows, found.in_rows),
                (self.column_log_scale, column, found.columns, found.in_columns),
            ):
                factors = means.log()
                factors[~is_used] = _LOG_NOTHING
                parameter[first : first + len(factors)] = factors
            if bool(used.any()):
                self.log_scale[number] = (found.mean / _MEAN_DISTANCE[self.distribution]).log()


def _padded(vector: Tensor) -> Tensor:
    """The vector with a 0 behind it, for those that have no number in it."""
    return torch.cat([vector, vector.new_zeros(1)])


def _starts(firsts: list[int | None]) -> Tensor:
    """Number of each tensor's first row or column; -1 where it has none."""
    return torch.tensor([-1 if first is None else first for first in firsts])


def _numbers(starts: Tensor, within: Tensor, count: int) -> Tensor:
    """Where each weight's row or column stands among all; ``count`` where it has none."""
    return torch.where(starts < 0, count, starts + within)

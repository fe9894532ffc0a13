"""The base of predictors whose distributions have a location and a scale: Laplace or logistic."""

import abc
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.entropy_coding.laplace.costs import coded_bits
from bitfold.entropy_coding.scales.whole_scales import (
    ALIVE,
    LARGEST_SCALE,
    LEAST_SCALE,
    logarithms,
    unit_of,
)
from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.bin_numbers import numbers_of_tensor, numbers_of_values
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.predictors.scale_fit import NATS_AN_EIGHTH, SCALE_FLOOR, fit_tensor
from bitfold.kolmogorov.predictors.scale_quantisation import (
    LearnedScales,
    quantise_scales,
    sent_parameters,
)
from bitfold.kolmogorov.predictors.sent_predictor import FileCoding, SentPredictor
from bitfold.kolmogorov.predictors.weight_predictor import Summed, WeightPredictor
from bitfold.kolmogorov.sums.hard_sums import scaled_bits
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
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype

MEAN_DISTANCE = {"laplace": 1.0, "logistic": 2 * math.log(2)}
"""The mean distance from the location, in scales."""

#: Weights within this distance of the location, in bins, decode as the location.
HALF_BIN = 0.5


class ScalePredictor(WeightPredictor, abc.ABC):
    """A Laplace or logistic distribution for each weight; subclasses say who shares a scale.

    Locations and scales are measured in bins, locations from the value 0. Each tensor has one
    location, the bin of its median when the predictor is fitted. A scale is the exponential of a
    learned number, plus 1/32 of a bin.

    Args:
        distribution: ``"laplace"`` or ``"logistic"``.
        is_centred: whether all locations are 0, which then is the likeliest value.

    Raises:
        KolmogorovError: if there is no such distribution.
    """

    is_trusted = True
    is_quick_to_fit = True
    bits_follow_weights = True
    takes_shards = True
    # Other precisions send scales as one of these does.
    precisions = (5, 6, 7, 8)

    line_names: tuple[str, ...] = ()
    """Names of the parameters of rows and columns."""

    file_method: ClassVar[str]
    """Name of the method by which a model file codes a tensor's scales."""

    location: Tensor

    def __init__(self, distribution: str = "laplace", *, is_centred: bool = False) -> None:
        super().__init__()
        if distribution not in DISTRIBUTIONS:
            raise KolmogorovError(
                f"Cannot make a predictor: expected distribution to be one of "
                f"{', '.join(DISTRIBUTIONS)}, got {distribution!r}. Choose one of these."
            )
        self.distribution, self.is_centred = distribution, is_centred

    @classmethod
    def from_options(cls, *, is_centred: bool, **settings: Any) -> Self:
        """Laplace distributions, centred on request."""
        return cls(is_centred=is_centred, **settings)

    @classmethod
    def variants(cls) -> list[Self]:
        """Both distributions."""
        return [cls("laplace"), cls("logistic")]

    @property
    def label(self) -> str:
        """The name in options and the distribution."""
        return f"{self.option_name or type(self).__name__}, {self.distribution}"

    def attach(self, layout: Layout, bins: Bins, generator: torch.Generator | None) -> None:
        """Make a location and a scale for each tensor."""
        super().attach(layout, bins, generator)
        # Set by `fit` and not learned: K is flat where weights gather half-way between two bins.
        zeros = torch.zeros(len(layout.blocks), device="cpu")
        self.register_buffer("location", zeros, persistent=not self.is_centred)
        self.log_scale = nn.Parameter(torch.zeros(len(layout.blocks), device="cpu"))
        self.first_rows: list[int | None] = [None] * len(layout.blocks)
        self.first_columns: list[int | None] = [None] * len(layout.blocks)
        self.table = scale_table(layout, self.first_rows, self.first_columns)

    @abc.abstractmethod
    def log_scales(self, subset: WeightSubset) -> Tensor:
        """The logarithm of each weight's scale, before the floor is added: (n,)."""

    def log_factors(self) -> list[Tensor]:
        """The terms of the logarithms of scales, in the order of the parameters."""
        return [self.log_scale]

    def sent_scales(self, subset: WeightSubset, as_sent: dict[str, Tensor]) -> Tensor:
        """Each weight's scale as it is sent, below `ALIVE` if it has none: int64 (n,)."""
        return as_sent["log_scale"][subset.block_numbers]

    def first_lines(self, number: int) -> tuple[int, ...]:
        """The numbers of a tensor's first row and first column; empty if it has no lines."""
        row, column = self.first_rows[number], self.first_columns[number]
        return () if row is None or column is None else (row, column)

    def fit(self, subset: WeightSubset, values: Tensor) -> None:
        """Set each location to the tensor's median, each scale to the mean distance from it.

        A tensor whose weights all lie in the bin of the location tells nothing of its scale: zeros
        before training are about to move. It gets the mean distance of all other tensors.
        """
        distances, shards = values / self.bins.width, self.layout.shards
        if not self.is_centred:
            self._fit_locations(subset, distances)
        # Summed widely, so that one process and several begin with the same scales.
        wide = accumulation_dtype(values.device, values.dtype)
        sums = values.new_zeros(len(self.layout.blocks), dtype=wide)
        largest = torch.zeros_like(sums)
        for number, _, part in subset.pieces():
            sizes = (distances[part] - self.location[number]).abs()
            sums[number], largest[number] = sizes.sum(dtype=wide), sizes.amax()
        (sums,) = shards.totals([sums])
        self.log_scale.copy_(self._first_log_scales(sums, shards.largest(largest)))

    def _fit_locations(self, subset: WeightSubset, distances: Tensor) -> None:
        """Set each location to the bin of the tensor's median, found by counting bins."""
        first, last = self.bins.minimum / self.bins.width, self.bins.num_bins - 1
        parts = {number: part for number, _, part in subset.pieces()}
        for number, block in enumerate(self.layout.blocks):
            own = distances[parts.get(number, slice(0))]
            indices = (own - first).round().long().clamp_(0, last)
            counts = torch.bincount(indices, minlength=last + 1)
            (counts,) = self.layout.shards.totals([counts])
            is_below = counts.cumsum(0) <= (block.box.size - 1) // 2
            self.location[number] = is_below.sum().to(self.location.dtype) + first

    def _first_log_scales(self, total: Tensor, largest: Tensor) -> Tensor:
        """Scales by the sums and maxima of the distances of each tensor."""
        counts = [block.box.size for block in self.layout.blocks]
        count = torch.tensor(counts, device=total.device)
        mean, is_moved = total / count, largest > HALF_BIN
        if bool(is_moved.any()):
            usual = (total * is_moved).sum() / (count * is_moved).sum()
        else:
            usual = torch.ones_like(mean[0])
        mean = torch.where(is_moved, mean, usual) / MEAN_DISTANCE[self.distribution]
        return (mean + SCALE_FLOOR).log()

    @torch.no_grad()
    def fit_sent(
        self, table: ParameterTable, weight_range: WeightRange, precision_bits: int
    ) -> bool:
        """Fit centred Laplace distributions by `fit_tensor`; others are fitted by gradients."""
        if not (self.is_centred and self.distribution == "laplace"):
            return False
        unit = 2 ** unit_of(precision_bits)
        for number, block in enumerate(self.layout.blocks):
            numbers = torch.cat(list(numbers_of_tensor(table, weight_range, number)))
            lines = self.first_lines(number)
            found = fit_tensor(block.box.unflatten(numbers).cpu().numpy(), unit if lines else 0)
            if found is None:
                continue
            self.log_scale[number] = found.own * NATS_AN_EIGHTH
            of_lines = found.rows, found.columns
            for name, first, exponents in zip(self.line_names, lines, of_lines, strict=False):
                log_scales = torch.from_numpy(exponents * NATS_AN_EIGHTH)
                self.get_parameter(name)[first : first + len(exponents)] = log_scales
        return True

    @torch.no_grad()
    def send(
        self, table: ParameterTable, weight_range: WeightRange, precision_bits: int
    ) -> SentPredictor:
        """Whole scales; see `quantise_scales`."""
        from bitfold.entropy_coding.scales.syntax import scale_bits  # noqa: PLC0415 - imports Numba

        learned = self.learned_scales()
        scales = quantise_scales(learned, table, weight_range, precision_bits)
        num_bits = scale_bits(scales.flat(learned.sides))
        return SentPredictor(sent_parameters(learned, scales), num_bits, scales)

    @torch.no_grad()
    def finish(self, table: ParameterTable, weight_range: WeightRange, precision_bits: int) -> None:
        """Set the scales to those that a decoder gets."""
        sent = self.send(table, weight_range, precision_bits).parameters
        for name, item in self.named_parameters():
            item.copy_(logarithms(sent[name]))

    def file_coding(
        self, table: ParameterTable, weight_range: WeightRange, precision_bits: int
    ) -> FileCoding:
        """By the integer tables of the scales."""
        learned = self.learned_scales()
        scales = quantise_scales(learned, table, weight_range, precision_bits)
        of_tensors = scales.of_tensors(learned.sides)
        return FileCoding(self.file_method, self.distribution, tuple(of_tensors))

    def forward(self, subset: WeightSubset, indices: Tensor) -> Tensor:
        """Minus the logarithm of the bins' masses; compiled loops where no graph is needed."""
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
        """The bits under the integer tables; bins go on beyond the range.

        Args:
            subset: n weights.
            values: floating (n,), in the units of the bins.
            as_sent: whole numbers, see `sent_parameters`; None: the distributions as they are.
        """
        if as_sent is None:
            return super().hard_bits(subset, values, as_sent)
        locations = as_sent["location"][subset.block_numbers]
        distances = numbers_of_values(values, self.bins) - locations
        scales = self.sent_scales(subset, as_sent)
        within = scales.clamp(LEAST_SCALE, LARGEST_SCALE)
        cost, is_dead = coded_bits(distances, within, self.distribution), scales < ALIVE
        not_finite = 0 * values
        symbols, escapes = (item.masked_fill(is_dead, 0) + not_finite for item in cost)
        return symbols, escapes

    def bits_by_tensor(
        self, table: ParameterTable, weight_range: WeightRange, as_sent: SentPredictor
    ) -> list[tuple[float, float]] | None:
        """The bits of each tensor by compiled loops, where these can read the weights."""
        assert as_sent.scales is not None
        return scaled_bits(table, weight_range, self.table, as_sent.scales, self.distribution)

    def summed(
        self, subset: WeightSubset, values: Tensor, targets: Targets, *, with_gradients: bool
    ) -> Summed:
        """The cost of weights in and out of range, by compiled loops where they can sum it."""
        if not can_sum_scales(subset, values, targets):
            return super().summed(subset, values, targets, with_gradients=with_gradients)
        model = self._model()
        found = sum_scales(model, self.bins, subset, values, targets, with_gradients=with_gradients)
        own = self._by_parameters(found.grad_log_factors)
        return Summed(values.new_tensor(found.total, dtype=torch.float64), found.grad_values, own)

    def summed_in_steps(
        self, weights: Sequence[Tensor], steps: Tensor, targets: Targets, *, with_gradients: bool
    ) -> tuple[Summed, Tensor] | None:
        """The cost of centred distributions, read from a table, where the loops can."""
        if not self.is_centred:
            return None
        model, lengths = self._model(), steps.tolist()
        if not can_read_table(model, self.bins, weights, lengths, targets):
            return None
        found = sum_by_table(model, weights, lengths, targets, with_gradients=with_gradients)
        nats = torch.tensor(found.total, dtype=torch.float64, device="cpu")
        own = self._by_parameters(found.grad_log_factors)
        return Summed(nats, found.grad_weights, own), found.grad_log_steps

    def learned_scales(self) -> LearnedScales:
        """The locations and scales as they are."""
        lines = {name: self.get_parameter(name).detach() for name in self.line_names}
        return LearnedScales(
            self.bins,
            self.layout,
            self.table,
            self.location,
            self.log_scale.detach(),
            lines,
            self._sides,
        )

    @cached_property
    def _sides(self) -> NDArray[np.int64]:
        """See `LearnedScales`."""
        starts = np.cumsum([len(item) for item in self.log_factors()]).tolist()
        sides = np.full((len(self.layout.blocks), 2, 2), -1)
        for number, block in enumerate(self.layout.blocks):
            for axis, line in enumerate(self.first_lines(number)):
                first = starts[axis] + line
                sides[number, axis] = first, first + block.box[axis]
        return sides

    def _model(self) -> ScaleModel:
        log_factors = torch.cat([*self.log_factors(), self.log_scale.new_zeros(1)])
        is_logistic = self.distribution == "logistic"
        return ScaleModel(self.table, self.location, log_factors, SCALE_FLOOR, is_logistic)

    def _by_parameters(self, gradient: Tensor) -> list[Tensor]:
        """Split the gradient by all logarithms of factors into one for each parameter."""
        sizes = [len(item) for item in self.log_factors()]
        pieces = torch.split(gradient, [*sizes, 1])[:-1]
        return [item.to(self.location.dtype) for item in pieces]

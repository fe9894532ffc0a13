"""The adaptive predictor: each weight is predicted from the weights before it."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.bin_numbers import numbers_of_tensor, numbers_of_values
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.escape import confine
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.grid.soft_assignment.targets import NEAREST
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.predictors.sent_predictor import FileCoding, SentPredictor
from bitfold.kolmogorov.predictors.weight_predictor import Summed, WeightPredictor
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype

_NATS = math.log(2)
_NUMBERS = "numbers"


class AdaptivePredictor(WeightPredictor):
    """Predicts each weight from the rounded weights before it, as the mixed code of a file does.

    It has no parameters, and learns nothing that a decoder would have to be told. K is the length
    of the code of the weights as they are rounded now, and flags of rows and columns, which are
    part of `bits`, do not count in it.

    The gradient takes what predicts a weight as a constant, though other weights decide on it. At
    the probabilities that suit the weights best, the sum of costs does not change with the
    probabilities to first order, and the code keeps near these. The slope is
    that of a whole octave, as the code itself gets longer only at powers of 2, or of the line from
    0 to the usual size of the weights before: smaller ones are rarer, and cost more.

    Example:
        >>> from torch import nn
        >>> from bitfold.kolmogorov import KolmogorovLoss
        >>> kolmogorov = KolmogorovLoss(nn.Linear(30, 20), predictor=AdaptivePredictor())
        >>> list(kolmogorov.predictor.parameters())
        []
    """

    option_name = "adaptive"
    option_rank = 3
    is_trusted = True
    is_quick_to_fit = True
    needs_all_weights: ClassVar[bool] = True
    bits_follow_weights: ClassVar[bool] = True
    has_close_steps: ClassVar[bool] = True
    bits_chunk = 2**62
    # About 40 bytes for each weight, and 105 for each of the largest tensor while it trains.
    most_weights_unasked = 2**20

    numbers: Tensor

    @property
    def label(self) -> str:
        """The name in options."""
        return "adaptive"

    def attach(self, layout: Layout, bins: Bins, generator: torch.Generator | None) -> None:
        """Make room for the weights as they were last observed."""
        super().attach(layout, bins, generator)
        numbers = torch.zeros(layout.num_weights, dtype=torch.int64, device="cpu")
        self.register_buffer(_NUMBERS, numbers, persistent=False)

    def fit(self, subset: WeightSubset, values: Tensor) -> None:
        """Take note of the weights; there is nothing to fit."""
        del subset
        self.observe(values)

    def observe(self, values: Tensor) -> None:
        """Keep the bin of each weight."""
        self.numbers.copy_(numbers_of_values(values, self.bins))

    def fit_sent(
        self, table: ParameterTable, weight_range: WeightRange, precision_bits: int
    ) -> bool:
        """There is nothing to fit."""
        del table, weight_range, precision_bits
        return True

    def forward(self, subset: WeightSubset, indices: Tensor) -> Tensor:
        """The cost of bins in the places of weights, all others being as they were observed."""
        asked = self.numbers.repeat(len(indices), 1)
        if subset.chosen is None:
            asked[:, subset.start : subset.stop] = indices - self.bins.origin
            bits = self._costs(self.numbers, asked)[0][:, subset.start : subset.stop]
        else:
            asked[:, subset.chosen] = indices - self.bins.origin
            bits = self._costs(self.numbers, asked)[0][:, subset.chosen]
        return bits * _NATS

    @torch.no_grad()
    def send(
        self, table: ParameterTable, weight_range: WeightRange, precision_bits: int
    ) -> SentPredictor:
        """The bins of all weights, and the bits of the flags of rows and columns."""
        del precision_bits
        tensors = range(len(table.names))
        numbers = torch.cat(
            [part for at in tensors for part in numbers_of_tensor(table, weight_range, at)]
        )
        return SentPredictor(
            {_NUMBERS: numbers}, self._costs(numbers, numbers.new_empty(0, len(numbers)))[1]
        )

    def file_coding(
        self, table: ParameterTable, weight_range: WeightRange, precision_bits: int
    ) -> FileCoding:
        """By mixed predictions."""
        del table, weight_range, precision_bits
        return FileCoding("mixed predictions")

    def hard_bits(
        self, subset: WeightSubset, values: Tensor, as_sent: dict[str, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """The bits under the code of a file, which has no escapes.

        Args:
            subset: all weights.
            values: floating (N,), in the units of the bins.
            as_sent: the weights before these, see `send`; None: these.
        """
        del subset
        asked = numbers_of_values(values, self.bins)
        numbers = asked if as_sent is None else as_sent[_NUMBERS]
        bits = self._costs(numbers, asked.unsqueeze(0))[0][0]
        nothing = 0 * values
        return bits.to(values.dtype) + nothing, nothing

    @torch.no_grad()
    def summed(
        self, subset: WeightSubset, values: Tensor, targets: Targets, *, with_gradients: bool
    ) -> Summed:
        """The cost of weights in and out of range, and its gradient with fixed predictions."""
        del subset
        self.observe(values)
        counter, gradient = _Counter(self.layout), torch.zeros_like(values)
        dtype = accumulation_dtype(values.device, values.dtype)
        nats = values.new_zeros((), dtype=dtype)
        for part in counter.parts():
            with torch.enable_grad():
                leaf = values[part].detach().requires_grad_(with_gradients)
                within, escapes = confine(leaf, self.bins)
                index, escaped = self.bins.continuous_index(within), escapes.sum()
            bins, shares, slopes = targets.shares(index.detach())
            bins -= self.bins.origin
            costing = bins
            if targets.sharing == NEAREST:  # the share of the other one of two bins is 0
                is_second = shares[1] > shares[0]
                costing, shares = (
                    torch.where(is_second, two[1], two[0]).unsqueeze(0) for two in (bins, shares)
                )
            sloping = bins if with_gradients else bins[:0]
            bits, smooth, _ = counter.count(self.numbers[part], costing, sloping)
            nats += (shares * bits).sum() * _NATS + escaped.detach()
            if with_gradients:
                by_index = (slopes * smooth).sum(dim=0).to(values.dtype) * _NATS
                (gradient[part],) = torch.autograd.grad([index, escaped], [leaf], [by_index, None])
        return Summed(nats, gradient, [])

    def _costs(self, numbers: Tensor, asked: Tensor) -> tuple[Tensor, float]:
        """Count what numbers (k, N) would cost in the places of others (N,).

        Returns:
            Bits (k, N), float64 where the device has it, and the bits of all flags.
        """
        dtype, flags = accumulation_dtype(asked.device, torch.float32), 0.0
        found = torch.empty(asked.shape, dtype=dtype, device=asked.device)
        counter = _Counter(self.layout)
        for part in counter.parts():
            bits, _, of_lines = counter.count(numbers[part], asked[:, part], asked[:0, part])
            found[:, part] = bits
            flags += of_lines
        return found, flags


class _Counter:
    """Counts the bits of tensors, one after the other.

    Args:
        layout: of all tensors.
    """

    def __init__(self, layout: Layout) -> None:
        from bitfold.entropy_coding.mixing.tensors import (  # noqa: PLC0415 - imports Numba
            MixedWriter,
        )

        self._shapes = [block.box.in_memory for block in layout.blocks]
        self._starts = layout.starts
        self._writer, self._number = MixedWriter(self._shapes), 0

    def parts(self) -> Iterator[slice]:
        """The weights of each tensor, which `count` has to be called for before the next."""
        for number, (at, end) in enumerate(pairwise(self._starts)):
            self._number = number
            yield slice(at, end)

    def count(
        self, numbers: Tensor, costing: Tensor, sloping: Tensor
    ) -> tuple[Tensor, Tensor, float]:
        """What some numbers would cost in a tensor; see `MixedWriter.count`.

        Args:
            numbers: of the tensor.
            costing: (j, n), of which bits are wanted.
            sloping: (k, n), of which smooth bits are wanted.

        Returns:
            Bits (j, n), smooth bits (k, n), and the bits of flags.
        """
        own, first, others = (one.cpu().numpy() for one in (numbers, costing, sloping))
        shape = self._shapes[self._number]
        bits, smooth, of_lines = self._writer.count(own, first, shape, others)
        device = costing.device
        dtype = accumulation_dtype(device, torch.float32)
        return (
            torch.from_numpy(bits).to(device, dtype),
            torch.from_numpy(smooth).to(device, dtype),
            of_lines,
        )

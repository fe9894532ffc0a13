"""What every weight predictor is: a distribution over bins for each weight, from its place."""

import abc
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bitfold.entropy_coding.precision import sent, sent_bits
from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.escape import confine, escape_bits
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.weights.chunk_sizes import chunk_size
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype

# Masses are summed in float32, and a decoder's table has no more than 16 bits.
_MASS_TOLERANCE = 1e-4
# So many weights, spread evenly, and the first of so many tensors.
_NUM_CHECKED = 32
# The most numbers in the shares of one chunk: a dozen such tensors stay in the second-level cache.
_MOST_SHARES = 2**16


class Summed(NamedTuple):
    """The cost of some weights together, and its gradients.

    Attributes:
        nats: 0-d.
        grad_values: by each value, (n,); unused if no gradients were asked for.
        grad_parameters: by each of the predictor's parameters, in order; likewise.
    """

    nats: Tensor
    grad_values: Tensor
    grad_parameters: Sequence[Tensor]


class WeightPredictor(nn.Module, abc.ABC):
    """Gives each weight of a module a distribution over the bins it can lie in.

    To write one of your own, subclass it and define `forward`; define `attach` too if the number of
    parameters depends on the module that is described. All parameters are learned together
    with the module and are sent, quantised, to a decoder, which then reads the weights in flat
    order: what is predicted of a weight may depend on its place and on the predictor's parameters,
    never on weights. Whatever else it takes to decode is to be counted in `side_bits`. A predictor
    describes one module: make another for another loss.

    Source: none, ours.

    Example:
        >>> class OneHistogram(WeightPredictor):
        ...     def attach(self, layout, bins, generator):
        ...         super().attach(layout, bins, generator)
        ...         self.logits = nn.Parameter(torch.zeros(bins.num_bins))
        ...
        ...     def forward(self, subset, indices):
        ...         return -self.logits.log_softmax(0)[indices]
        >>> from bitfold.kolmogorov import KolmogorovLoss
        >>> kolmogorov = KolmogorovLoss(nn.Linear(4, 4), predictor=OneHistogram(), bins=16)
        >>> round(kolmogorov.bits().items["weights"], 3)
        80.0
    """

    side_bits: int = 0
    """Bits that a decoder needs beside the predictor's parameters, such as those of buffers."""

    is_trusted: bool = False
    """Whether its probabilities are known to add up to 1; otherwise they are checked once."""

    uses_targets: bool = True
    """Whether weights are shared among bins, or compared with a density as they are."""

    chunk: int = 2**16
    """How many weights are worked on at a time on the CPU, which bounds the memory; on an
    accelerator 64 times as many."""

    bits_chunk: int = 2**20
    """How many weights' hard bits are counted at a time."""

    layout: Layout
    bins: Bins

    def __init__(self) -> None:
        super().__init__()
        self.is_attached = False

    def attach(self, layout: Layout, bins: Bins, generator: torch.Generator | None) -> None:
        """Learn which module is to be described, once; make parameters that depend on it here.

        Args:
            layout: the module's parameters as boxes of weights.
            bins: the grid.
            generator: on the CPU, for initial values; None uses the global one.

        Raises:
            KolmogorovError: if it describes a module already.
        """
        del generator
        if self.is_attached:
            raise KolmogorovError(
                f"Cannot attach a {type(self).__name__}: expected one that describes nothing yet, "
                "got one of another Kolmogorov loss. Make one for each loss."
            )
        self.layout, self.bins, self.is_attached = layout, bins, True

    def fit(self, subset: WeightSubset, values: Tensor) -> None:
        """Set the parameters to what suits the weights as they are; called once, after `attach`.

        Args:
            subset: all weights.
            values: floating (N,), in the units of the bins and within their range.
        """

    @abc.abstractmethod
    def forward(self, subset: WeightSubset, indices: Tensor) -> Tensor:
        """The cost of bins: minus the logarithm of their probability.

        Args:
            subset: n weights.
            indices: int64 (k, n), k bins for each weight.

        Returns:
            Nats (k, n), differentiable by the parameters; exp(-nats) over all bins of a weight adds
            up to 1, or less.
        """

    def coded(self, subset: WeightSubset, indices: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        """What `forward` gives with other parameters, such as those that a decoder gets.

        Args:
            subset: n weights.
            indices: int64 (k, n).
            parameters: all of them, by name.
        """
        nats: Tensor = torch.func.functional_call(self, parameters, (subset, indices))
        return nats

    def sent(self, precision_bits: int) -> dict[str, Tensor]:
        """What a decoder gets of the parameters, by name; see `transmission.sent`.

        Args:
            precision_bits: 2 to 16 or 32.
        """
        return {name: sent(item, precision_bits) for name, item in self.named_parameters()}

    def sending_bits(self, precision_bits: int) -> Tensor | float:
        """Bits that the parameters take; a tensor where that depends on their values."""
        return sent_bits(self.parameters(), precision_bits)

    def hard_bits(
        self, subset: WeightSubset, values: Tensor, as_sent: dict[str, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """What coding values takes, one by one.

        Source: C. E. Shannon, 1948, for -log2 of a probability; the escapes see `escape_bits`.

        Args:
            subset: n weights.
            values: floating (n,), in the units of the bins.
            as_sent: what a decoder has of the parameters; None: they as they are.

        Returns:
            Bits of the nearest bin and of the escape code, both (n,); NaN where a value is.
        """
        parameters = as_sent
        if parameters is None:
            parameters = {name: item.detach() for name, item in self.named_parameters()}
        indices = self.bins.nearest(values).unsqueeze(0)
        nats = self.coded(subset, indices, parameters)[0].to(values.dtype)
        return nats / math.log(2), escape_bits(values, self.bins)

    def smooth_nats(self, subset: WeightSubset, values: Tensor, targets: Targets) -> Tensor:
        """The cost of weights that are shared among bins, as a graph.

        Args:
            subset: n weights.
            values: floating (n,), within the bins' range.
            targets: how a weight is shared.

        Returns:
            Nats, 0-d: the sum over weights of share times cost, differentiable once by values and
            parameters.
        """
        index = self.bins.continuous_index(values)
        bins, shares, slopes = targets.shares(index.detach())
        nats = self(subset, bins)
        moved = index - index.detach()  # 0, with a slope of 1
        total: Tensor = (shares * nats).sum() + (moved * (slopes * nats.detach()).sum(dim=0)).sum()
        return total

    def summed(
        self, subset: WeightSubset, values: Tensor, targets: Targets, *, with_gradients: bool
    ) -> Summed:
        """The cost of weights in and out of range with its gradients, a chunk at a time.

        Args:
            subset: n weights.
            values: floating (n,), in the units of the bins.
            targets: how a weight is shared among bins.
            with_gradients: whether the gradients are wanted.
        """
        parameters = list(self.parameters())
        total = values.new_zeros((), dtype=accumulation_dtype(values.device, values.dtype))
        grad_values = torch.zeros_like(values)
        numbers = [number for number, item in enumerate(parameters) if item.requires_grad]
        learned = [parameters[number] for number in numbers]
        sums = [torch.zeros_like(item) for item in parameters]
        on_cpu = max(1, min(self.chunk, _MOST_SHARES // targets.window))
        chunk = chunk_size(on_cpu, values.device)
        for part, some in subset.split(chunk):
            with torch.set_grad_enabled(with_gradients):
                leaf = values[part].detach().requires_grad_(with_gradients)
                within, escapes = confine(leaf, self.bins)
                nats = self.smooth_nats(some, within, targets) + escapes.sum()
            total += nats.detach()
            if with_gradients:
                found = torch.autograd.grad(nats, [leaf, *learned], allow_unused=True)
                if found[0] is not None:
                    grad_values[part] = found[0]
                for number, gradient in zip(numbers, found[1:], strict=True):
                    if gradient is not None:
                        sums[number] += gradient
        return Summed(total, grad_values, sums)

    def check_masses(self, subset: WeightSubset) -> None:
        """Refuse a predictor whose probabilities no decoder could use.

        Args:
            subset: all weights; those at the start of tensors and some others are looked at.

        Raises:
            KolmogorovError: if `attach` did not reach this class, if costs have another shape or
                are not finite, or if the masses of some weight's bins add up to more than 1.
        """
        name = type(self).__name__
        if not self.is_attached:
            raise KolmogorovError(
                f"Cannot use the predictor {name}: expected its attach to call "
                "super().attach(layout, bins, generator), got none. Add the call."
            )
        some = _spread_out(subset)
        indices = torch.arange(self.bins.num_bins, device=subset.device).unsqueeze(1)
        with torch.no_grad():
            nats = self(some, indices.expand(-1, len(some)))
        if nats.shape != (self.bins.num_bins, len(some)):
            raise KolmogorovError(
                f"Cannot use the predictor {name}: expected costs of shape "
                f"{(self.bins.num_bins, len(some))} as the indices given, got {tuple(nats.shape)}. "
                "Return one cost for each index."
            )
        masses = torch.exp(-nats.double()).sum(dim=0)
        if not bool(torch.isfinite(nats).all()):
            raise KolmogorovError(
                f"Cannot use the predictor {name}: expected finite costs, got NaN or infinite "
                "ones, with which some weights could not be coded. Give every bin a probability."
            )
        if not bool((masses <= 1 + _MASS_TOLERANCE).all()):
            raise KolmogorovError(
                f"Cannot use the predictor {name}: expected the probabilities of a weight's bins "
                f"to add up to at most 1, got {masses.max().item():.6g}. Normalise them, for "
                "example by log_softmax."
            )


def _spread_out(subset: WeightSubset) -> WeightSubset:
    """The first weights of some tensors, and others evenly spread."""
    starts = subset.layout.starts[:_NUM_CHECKED]
    evenly = (len(subset) * number // _NUM_CHECKED for number in range(_NUM_CHECKED))
    chosen = sorted({*starts, *evenly, len(subset) - 1} - {len(subset)})
    flat = torch.tensor(chosen, device=subset.device)
    return WeightSubset(subset.layout, subset.start, subset.stop, subset.device, chosen=flat)

"""The weight predictor: a distribution over bins for each weight, from the weight's position."""

import abc
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from bitfold.entropy_coding.precision import sent, sent_bits
from bitfold.errors import KolmogorovError, ModelFileError
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.escape import confine, escape_bits
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.predictors.sent_predictor import FileCoding, SentPredictor
from bitfold.kolmogorov.weights.chunk_sizes import chunk_size
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype

# The most numbers in the shares of one chunk: a dozen tensors of this size stay in the second-level
# cache.
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
    """Gives each weight of a module a distribution over the bins that it can lie in.

    To add a predictor, subclass this class in one file and define `forward`. Define `attach` too if
    the number of parameters depends on the described module. Pass an instance as ``predictor`` of a
    `KolmogorovLoss`. A predictor with an ``option_name`` in a file of this folder is also an option
    by that name, in Python, in configurations and on the command line.

    All parameters are learned together with the module and are sent, rounded, to a decoder. The
    decoder then reads the weights in flat order. A prediction may therefore depend on the weight's
    position and on the predictor's parameters, and on weights only with `needs_all_weights`. Count
    everything else that a decoder needs in `side_bits`. A predictor describes one module: make
    another for another loss.

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

    option_name: ClassVar[str | None] = None
    """Name in options; None: only an instance can be passed."""

    option_rank: ClassVar[int] = 100
    """Lists of option names show lower ranks first. `choose_predictor` tries higher ranks first, so
    that cheap predictors show whether expensive ones can pay."""

    option_settings: ClassVar[tuple[str, ...]] = ()
    """Arguments of the class that options set: ``"shape"`` (``predictor_shape``), ``"kind"``."""

    precisions: ClassVar[tuple[int, ...]] = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16)
    """Values of ``predictor_bits`` that `fit_predictor` tries."""

    is_quick_to_fit: ClassVar[bool] = False
    """Whether `round_to_bits` fits the predictor again after each round."""

    most_weights_unasked: ClassVar[int | None] = None
    """`choose_predictor` tries the predictor on modules of more weights only on request."""

    takes_shards: bool = False
    """Whether it describes weights that are divided among processes. Then `fit`, `send` and
    `side_bits` depend on weights only through sums by ``layout.shards``, and weights of a subset
    are those that lie here."""

    needs_all_weights: ClassVar[bool] = False
    """Whether a weight's prediction depends on the weights before it, as `observe` was told them.
    Then each call looks at all weights, in one process."""

    bits_follow_weights: ClassVar[bool] = False
    """Whether the predictor's own bits change with the weights, such as those of dead rows."""

    has_close_steps: ClassVar[bool] = False
    """Whether files send learned steps as the differences between them."""

    side_bits: int = 0
    """Bits that a decoder needs beside the predictor's parameters, such as those of buffers."""

    is_trusted: bool = False
    """Whether its probabilities are known to add up to 1; otherwise they are checked once."""

    uses_targets: bool = True
    """Whether weights are shared among bins; otherwise they are compared with a density."""

    chunk: int = 2**16
    """Number of weights that are worked on at a time on the CPU, which bounds the memory; on an
    accelerator 64 times as many."""

    bits_chunk: int = 2**20
    """Number of weights whose hard bits are counted at a time."""

    layout: Layout
    bins: Bins

    def __init__(self) -> None:
        super().__init__()
        self.is_attached = False

    @classmethod
    def from_options(cls, *, is_centred: bool, **settings: Any) -> Self:
        """Make a predictor from the options of a `KolmogorovLoss`.

        The default calls the class with ``settings`` alone.

        Args:
            is_centred: whether predicted distributions lie around 0.
            settings: those of `option_settings` that are given.
        """
        del is_centred
        make: Callable[..., Self] = cls
        return make(**settings)

    @classmethod
    def variants(cls) -> list[Self]:
        """The predictors that `choose_predictor` tries for this class's ``option_name``."""
        return [cls()]

    @property
    def label(self) -> str:
        """A name for tables, the kind of predictor first: ``"row_column, laplace"``."""
        return type(self).__name__

    def attach(self, layout: Layout, bins: Bins, generator: torch.Generator | None) -> None:
        """Take up the module to describe, once; make parameters that depend on it here.

        Args:
            layout: the module's parameters as blocks of weights.
            bins: the grid.
            generator: on the CPU, for initial values; None uses the global one.

        Raises:
            KolmogorovError: if the predictor describes a module already.
        """
        del generator
        if self.is_attached:
            raise KolmogorovError(
                f"Cannot attach a {type(self).__name__}: expected one that describes nothing yet, "
                "got one of another Kolmogorov loss. Make one for each loss."
            )
        self.layout, self.bins, self.is_attached = layout, bins, True

    def fit(self, subset: WeightSubset, values: Tensor) -> None:
        """Set the parameters to suit the weights as they are; called once, after `attach`.

        Args:
            subset: all weights.
            values: floating (N,), in the units of the bins and within their range.
        """

    def observe(self, values: Tensor) -> None:
        """Take note of all weights as they are, before `forward` is called.

        Args:
            values: floating (N,), in the units of the bins.
        """
        del values

    def fit_sent(
        self, table: ParameterTable, weight_range: WeightRange, precision_bits: int
    ) -> bool:
        """Set the parameters to those that code fixed weights shortest once they are sent.

        Args:
            table: the described parameters.
            weight_range: turns them into values.
            precision_bits: of the sent parameters.

        Returns:
            Whether the predictor can do so; otherwise `fit_predictor` fits it by gradients.
        """
        del table, weight_range, precision_bits
        return False

    def finish(self, table: ParameterTable, weight_range: WeightRange, precision_bits: int) -> None:
        """Set the parameters to those that a decoder gets, before `finish` freezes them.

        The default leaves them as they are: they are rounded when they are sent.

        Args:
            table: the described parameters.
            weight_range: turns them into values.
            precision_bits: of the sent parameters.
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
        """The cost of bins with other parameters, such as those that a decoder gets.

        Args:
            subset: n weights.
            indices: int64 (k, n).
            parameters: all of them, by name.
        """
        nats: Tensor = torch.func.functional_call(self, parameters, (subset, indices))
        return nats

    def sent(self, precision_bits: int) -> dict[str, Tensor]:
        """The parameters that a decoder gets, by name; see `precision.sent`.

        Args:
            precision_bits: 2 to 16 or 32.
        """
        return {name: sent(item, precision_bits) for name, item in self.named_parameters()}

    def sending_bits(self, precision_bits: int) -> Tensor | float:
        """Bits of the sent parameters; a tensor where they depend on the parameters' values."""
        return sent_bits(self.parameters(), precision_bits)

    def send(
        self, table: ParameterTable, weight_range: WeightRange, precision_bits: int
    ) -> SentPredictor:
        """Round the predictor to what a decoder gets, and count its bits.

        The default is `sent` and `sending_bits`, which know nothing of the weights.

        Args:
            table: the described parameters.
            weight_range: turns them into values.
            precision_bits: 2 to 16 or 32.
        """
        del table, weight_range
        return SentPredictor(self.sent(precision_bits), self.sending_bits(precision_bits))

    def file_coding(
        self, table: ParameterTable, weight_range: WeightRange, precision_bits: int
    ) -> FileCoding:
        """How a model file codes the weights under this predictor; arguments as of `send`.

        Raises:
            ModelFileError: if the file format has no method for the predictor.
        """
        del table, weight_range, precision_bits
        raise ModelFileError(
            "Cannot write a model file: expected the predictor per_tensor, row_column, "
            f"coordinate or adaptive, got {type(self).__name__}. Write it without the loss, or fit "
            "another predictor by bitfold.choose_predictor(loss)."
        )

    def hard_bits(
        self, subset: WeightSubset, values: Tensor, as_sent: dict[str, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """The bits of coding each value.

        Source: C. E. Shannon, 1948, for -log2 of a probability; for escapes see `escape_bits`.

        Args:
            subset: n weights.
            values: floating (n,), in the units of the bins.
            as_sent: the parameters that a decoder has; None: the predictor's own.

        Returns:
            Bits of the nearest bin and of the escape code, both (n,); NaN where a value is.
        """
        parameters = as_sent
        if parameters is None:
            parameters = {name: item.detach() for name, item in self.named_parameters()}
        indices = self.bins.nearest(values).unsqueeze(0)
        nats = self.coded(subset, indices, parameters)[0].to(values.dtype)
        return nats / math.log(2), escape_bits(values, self.bins)

    def bits_by_tensor(
        self, table: ParameterTable, weight_range: WeightRange, as_sent: SentPredictor
    ) -> list[tuple[float, float]] | None:
        """The sums of `hard_bits` over each tensor, without a number for each weight.

        Args as of `send`, which gave ``as_sent``.

        Returns:
            Bits of bins and of escapes, NaN if a weight is not finite; None if there is no quicker
            way than `hard_bits`.
        """
        del table, weight_range, as_sent
        return None

    def total_bits(
        self,
        table: ParameterTable,
        weight_range: WeightRange,
        as_sent: SentPredictor,
        all_weights: WeightSubset,
    ) -> tuple[float, float] | None:
        """The sums of `hard_bits` over all weights, as `bits_by_tensor` says of each tensor."""
        del all_weights
        found = self.bits_by_tensor(table, weight_range, as_sent)
        if found is None:
            return None
        bits, escapes = map(math.fsum, zip(*found, strict=True))
        return bits, escapes

    def smooth_nats(self, subset: WeightSubset, values: Tensor, targets: Targets) -> Tensor:
        """The cost of weights that are shared among bins, with its graph.

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
        """Sum the cost of weights in and out of range with its gradients, a chunk at a time.

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

    def summed_in_steps(
        self, weights: Sequence[Tensor], steps: Tensor, targets: Targets, *, with_gradients: bool
    ) -> tuple[Summed, Tensor] | None:
        """Sum the cost of weights in learned steps in one pass over the weights in place.

        Args:
            weights: of each tensor.
            steps: of each tensor: (tensors,).
            targets: how a weight is shared among bins.

        Returns:
            The sum, with gradients by weights in place of values, and the gradient by the
            logarithms of steps; None if the predictor has no such pass, and `summed` is called.
        """
        del weights, steps, targets, with_gradients
        return None

"""The Kolmogorov loss: the description length of a module's weights, as a loss to minimise."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bitfold.entropy_coding.precision import make_precision
from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.attachment import copied_onto
from bitfold.kolmogorov.description.bits import (
    Described,
    coded_weights,
    count_items,
    rest_note,
)
from bitfold.kolmogorov.description.coverage import gradient_coverage
from bitfold.kolmogorov.description.decoded_state import decode_state
from bitfold.kolmogorov.description.description import Description
from bitfold.kolmogorov.description.report import Report, make_report
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.outside import outside_count
from bitfold.kolmogorov.grid.ranges import make_range
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.grid.straight_through import quantised
from bitfold.kolmogorov.loss_calls import Calls
from bitfold.kolmogorov.options.construction import (
    check_counts,
    check_quantise,
    check_rest,
    make_predictor,
    make_targets,
)
from bitfold.kolmogorov.predictors.mass_check import check_masses
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor
from bitfold.kolmogorov.process_agreement import agree, check_division, group_of
from bitfold.kolmogorov.step_counter import StepCounter
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.selection import Pattern
from bitfold.kolmogorov.weights.subsampling import Subsampling
from bitfold.runtime.accumulation_dtype import accumulation_dtype
from bitfold.runtime.wrapped_modules import unwrap


class KolmogorovLoss(nn.Module):
    """K: the cost of coding a module's weights under the distributions that a predictor gives them.

    Calling the loss gives K in nats per weight, with a gradient to the module's weights and to the
    predictor. The loss refers to the module without registering it: ``parameters()`` and
    ``state_dict()`` hold only what the loss itself learns. Copy both together,
    ``copy.deepcopy((module, loss))``; a copy of the loss alone refers to its own copy of the
    module.

    A weight outside the range of the bins is coded as the edge bin and an escape code of its
    overshoot. In K it costs as much as at the edge plus 2 ln(1 + overshoot in bins) nats, so that K
    is finite for all finite weights and pulls them back.

    Source: the seed program's loss.

    Args:
        module: any module with trainable parameters, which are looked up once, here. A wrapper
            stands for the module that it holds (see `runtime.wrapped_modules.unwrap`). The
            processes of a ``DistributedDataParallel`` share the work (see ``process_group``). Those
            among which ``fully_shard`` divides the module call each method together.
        predictor: ``"row_column"`` (a scale for each tensor, row and column), ``"per_tensor"`` (a
            location and a scale for each tensor), ``"coordinate"`` (a small network from a weight's
            position to a distribution), ``"adaptive"`` (all weights before it; neither with
            ``sample`` nor in several processes), or your own `WeightPredictor`.
        predictor_shape: hidden widths of the coordinate predictor: 1 to 32 of them, each 1 to
            4,096; None: two of 5.
        kind: of the coordinate predictor: ``"cross_entropy"`` (nats; also None), ``"mse"``
            (unitless), ``"gaussian_nll"`` or ``"laplacian_nll"`` (nats: density times the width of
            a bin).
        bins: number of values that a weight can take, 2 to 65,536.
        weight_range: the first and the last of these values; or ``"auto"``: each tensor learns the
            step between two of them, and 0 is one of them (`LearnedRange`).
        targets: how a weight is shared among bins: ``"soft"``, ``"linear"``, ``"noise"``,
            ``"rounded"``, ``"hard"``, ``"cut"``, or your own `Targets`. With hard targets K is the
            cost of coding, escapes included, and has no gradient. Cut targets plant the bug that
            the audit finds: no gradient reaches the weights. None: rounded with ``quantise``, else
            linear.
        temperature: of soft targets, in bins, > 0.
        predictor_bits: precision in which the predictor is sent, 2 to 16 or 32 (float32). Scales of
            rows and columns are sent in eighths of an octave from 8 on, in octaves up to 5. None: 5
            with ``quantise``, else 8. It does not change K.
        rest_bits: bits for each number that is not described, such as frozen and excluded
            parameters and buffers: 32 (float32), 16 (bfloat16; whole numbers in 32), or 0 if the
            decoder has them.
        include: which parameters to describe, by name pattern or function of name and parameter.
        exclude: which of them not to describe.
        sample: number of weights that a call looks at, drawn anew in each training step, for an
            unbiased K; None: all.
        every: in training every k-th call gives K times k, and other calls give 0.
        process_group: processes that share the work in data-parallel training. All get the same K.
            The mean of their gradients by the weights, which such training takes, is K's gradient;
            the loss itself adds up the gradients by its own parameters. Draws depend on the number
            of processes. Without gradients a process computes K by itself, and may do so alone.
        generator: for the predictor's initial values and the seed of all draws, on the CPU; None
            uses the global one.
        quantise: ``"learned"`` for networks that are trained with the weights that a decoder gets,
            in `quantised` blocks. The task then limits the steps, which begin coarse, and scales
            are centred at 0. Only with ``weight_range="auto"``.

    Raises:
        KolmogorovError: if a setting is out of bounds or not among those listed, or if the module
            has no trainable parameters or some that cannot be described (see `ParameterTable`).

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> network = nn.Linear(10, 10)
        >>> kolmogorov = KolmogorovLoss(network, generator=generator)
        >>> kolmogorov().backward()
        >>> network.weight.grad.shape
        torch.Size([10, 10])
        >>> sorted(kolmogorov.bits().items)
        ['out_of_range', 'predictor', 'ranges', 'weights']
    """

    like: Tensor

    def __init__(
        self,
        module: nn.Module,
        *,
        predictor: str | WeightPredictor = "row_column",
        predictor_shape: Sequence[int] | None = None,
        kind: str | None = None,
        bins: int = 256,
        weight_range: tuple[float, float] | str = "auto",
        targets: str | Targets | None = None,
        temperature: float = 0.1,
        predictor_bits: int | None = None,
        rest_bits: int = 32,
        include: Pattern | None = None,
        exclude: Pattern | None = None,
        sample: int | None = None,
        every: int = 1,
        process_group: dist.ProcessGroup | None = None,
        generator: torch.Generator | None = None,
        quantise: str | None = None,
    ) -> None:
        super().__init__()
        process_group = process_group or group_of(module)
        check_counts(every=every, bins=bins, sample=sample)
        check_quantise(quantise, weight_range)
        check_rest(rest_bits)
        by_task = quantise is not None
        self.quantise, self.rest_bits, self.every = quantise, rest_bits, every
        self.predictor_bits = make_precision(predictor_bits, is_short=by_task)
        self.table = ParameterTable(unwrap(module), include, exclude)
        self.weight_range = make_range(self.table, bins, weight_range, by_task=by_task)
        self.predictor = make_predictor(predictor, predictor_shape, kind, is_centred=by_task)
        check_division(self.table, self.predictor, process_group, quantise, sample)
        self.predictor.attach(self.table.layout, self.bins, generator)
        self.targets = make_targets(targets, temperature, bins, by_task=by_task)
        self.counter = self._make_counter(sample, every, generator)
        self.subsampling = Subsampling(self.table, sample, process_group)
        self._calls = Calls(self.described, self.targets, self.subsampling, self.counter, every)
        self._place()
        self._fit()

    def _make_counter(
        self, sample: int | None, every: int, generator: torch.Generator | None
    ) -> StepCounter | None:
        """The count of steps, if the loss draws anything or skips steps."""
        is_drawn = self.targets.is_random or sample is not None or every > 1
        return StepCounter.drawn(generator) if is_drawn else None

    @property
    def bins(self) -> Bins:
        """The grid of the values, in the units of the range."""
        return self.weight_range.bins

    @property
    def num_weights(self) -> int:
        """Number of described weights; tied ones count once."""
        return self.table.num_weights

    @property
    def described(self) -> Described:
        """The weights and their code."""
        return Described(self.table, self.weight_range, self.predictor)

    def forward(self) -> Tensor:
        """K of the module as it is now.

        A call in training mode with gradients is a step: it advances the draws and the count of
        ``every``. Other calls give K itself, with the draws that the next step will make.

        Returns:
            Nats per weight (`mse`: mean square plus nats of escape), 0-d. Between the steps of
            ``every`` a 0 that depends on nothing.

        Raises:
            KolmogorovError: if the module's parameters were replaced, resized, added or removed
                since this loss was made, or moved to another device.
        """
        if torch.compiler.is_compiling():
            # Gradients are computed within the step, which no graph can hold. PyTorch leaves
            # disable without types.
            disable: Any = torch.compiler.disable
            nats: Tensor = disable(self._mean_nats)()
            return nats
        return self._mean_nats()

    def quantised(self) -> AbstractContextManager[None]:
        """Let the module compute with the weights that a decoder gets, within a ``with`` block.

        Weights get their gradients as if nothing had been rounded, and learned steps get theirs
        from the rounding (`straight_through`). Within the block the module holds other tensors.
        Afterwards, also after an exception, it holds its own parameters, unchanged. Operations on
        ``module.parameters()``, such as clipping, belong after the block.

        Raises:
            KolmogorovError: as calling does, and if such a block is open already.

        Example:
            >>> network = nn.Linear(10, 10)
            >>> kolmogorov = KolmogorovLoss(network, quantise="learned")
            >>> with kolmogorov.quantised():
            ...     task = network(torch.ones(1, 10)).square().mean()
            >>> (task + 0.1 * kolmogorov()).backward()
            >>> kolmogorov.weight_range.log_steps.grad.shape
            torch.Size([2])
        """
        return quantised(self.table, self.weight_range, self.subsampling.all_weights())

    def out_of_range_count(self) -> Tensor:
        """Number of weights outside the range of the bins: int64, 0-d, on the device."""
        self._check()
        return outside_count(self.table, self.weight_range, self.subsampling.all_weights())

    def num_out_of_range(self) -> int:
        """Number of weights outside the range of the bins."""
        return int(self.out_of_range_count())

    def bits(self) -> Description:
        """The whole description length of the weights, in hard bits and itemised.

        - ``weights``: each weight's nearest bin under the predictor *as sent*;
        - ``out_of_range``: the escape codes, see `WeightPredictor.hard_bits`;
        - ``predictor``: its tensors at ``predictor_bits``, see `WeightPredictor.send`;
        - ``ranges``: the two limits of the bins in float32, or each tensor's step, a bfloat16;
        - ``residual_variance`` (`mse`): in float32;
        - ``frozen``, ``excluded``, ``buffers``, if there are any: at ``rest_bits``.

        The decoder is assumed to know the settings (architecture, kind, number of bins, predictor's
        shape) and any extra state that a module keeps beside its tensors.

        Returns:
            The items; NaN bits for the weights while one of them is not finite.

        Raises:
            KolmogorovError: as calling does.
        """
        items = {name: float(bits) for name, bits in self._items().items()}
        return Description(items, self.num_weights, rest_note(items, self.rest_bits))

    def bits_tensor(self) -> Tensor:
        """Total of `bits`: 0-d, on the module's device.

        The host waits for the device only where the predictor's bits depend on the weights: those
        of scales do, since a decoder needs none of dead rows and columns. Those of
        `CoordinatePredictor` are counted on the CPU.
        """
        items = self._items()
        dtype = accumulation_dtype(self.like.device, self.like.dtype)
        weights = self.like.new_zeros((), dtype=dtype) + items.pop("weights")
        total: Tensor = weights + sum(items.values())
        return total

    def report(self) -> Report:
        """Count bits, bits per weight, zeros and weights out of range of each tensor.

        Raises:
            KolmogorovError: as calling does.
        """
        self._check()
        as_sent = self.described.send_predictor(self.predictor_bits)
        return make_report(self.described, as_sent, self.subsampling.all_weights())

    def weight_bits(self) -> dict[str, Tensor]:
        """The bits of each weight under the predictor as sent, escape codes included.

        Returns:
            By the parameter's name, in its shape, without a graph. All of them add up to the items
            ``weights`` and ``out_of_range`` of `bits`.

        Raises:
            KolmogorovError: as calling does.
        """
        self._check()
        as_sent = self.described.send_predictor(self.predictor_bits)
        coded = coded_weights(self.described, as_sent, self.subsampling.all_weights())
        return self.table.split(coded.bits + coded.escapes)

    def gradient_coverage(self) -> float:
        """The share of weights in range whose slope under the targets is a tenth of the true one.

        The true slope is the slope of the cost between the weight's two nearest bins; weights for
        which it is 0 do not count. Kinds that compare a density with the weight itself use no
        targets: their coverage is 1.

        Returns:
            0 to 1; of at most 2^16 weights, evenly spread, where there are more.

        Raises:
            KolmogorovError: as calling does.
        """
        subset = self.subsampling.all_weights()
        return gradient_coverage(self.predictor, self._values(), self._calls.next_targets(), subset)

    def decoded_state(self) -> dict[str, Tensor]:
        """The module's state as a decoder of `bits` would get it.

        Returns:
            By name, fit for ``load_state_dict`` of the module within its wrappers. Described
            parameters have the nearest values of the grid, also beyond the range, where the escape
            code gives the overshoot.
            Tied ones stand under each of their names. Other tensors are rounded to ``rest_bits``,
            and everything else is unchanged.

        Raises:
            KolmogorovError: as calling does.
        """
        self._check()
        all_weights = self.subsampling.all_weights()
        return decode_state(self.table, self.weight_range, self.rest_bits, all_weights)

    def attached_to(self, module: nn.Module) -> Self:
        """A copy of this loss that describes another module of the same structure.

        The copy has the predictor and the steps that this loss has learned. So an average of the
        trained weights can be described and written, as it is or after `fit_predictor`.

        Args:
            module: such as a ``torch.optim.swa_utils.AveragedModel`` of the described module.

        Raises:
            KolmogorovError: if the modules differ in a name or a shape; the message says in which.

        Example:
            >>> network = nn.Linear(20, 30)
            >>> kolmogorov = KolmogorovLoss(network)
            >>> averaged = torch.optim.swa_utils.AveragedModel(network)
            >>> kolmogorov.attached_to(averaged).bits().total == kolmogorov.bits().total
            True
        """
        group = self.subsampling.group
        copied = copied_onto(self, self.table.module, unwrap(module), group)
        copied._place()
        return copied

    def _place(self) -> None:
        # Has the device and the dtype of the loss, whether or not the loss learns anything.
        self.register_buffer("like", torch.empty(0, device="cpu"), persistent=False)
        self.to(self.table.device, self.table.dtype())

    def _mean_nats(self) -> Tensor:
        self._check()
        return self._calls.mean_nats(self.like, is_training=self.training)

    def _check(self) -> None:
        self.table.check()
        found = self.table.device
        if found != self.like.device:
            raise KolmogorovError(
                f"Cannot describe a module: expected it on {self.like.device} where its "
                f"predictor is, got {found}. Move the KolmogorovLoss there too."
            )

    @torch.no_grad()
    def _values(self, *, as_sent: bool = False) -> Tensor:
        self._check()
        weights = self.table.values().to(self.like.dtype)
        subset = self.subsampling.all_weights()
        return self.weight_range.values(weights, subset, as_sent=as_sent)

    def _items(self) -> dict[str, Tensor | float]:
        self._check()
        all_weights = self.subsampling.all_weights()
        return count_items(self.described, self.predictor_bits, self.rest_bits, all_weights)

    @torch.no_grad()
    def _fit(self) -> None:
        all_weights = self.subsampling.all_weights()
        # Weights out of range are coded as the edge bin.
        self.predictor.fit(all_weights, self.bins.clamp(self._values()))
        if not self.predictor.is_trusted:
            check_masses(self.predictor, all_weights)
        for group in (self.subsampling.group, *self.table.shards.groups):
            agree(self, self.counter, group)

"""The Kolmogorov loss: the description length of a module's weights, as a loss to minimise."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bitfold.entropy_coding.precision import make_precision
from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.autograd import Work, mean_nats
from bitfold.kolmogorov.description.bits import coded_weights, sent_predictor
from bitfold.kolmogorov.description.coverage import gradient_coverage
from bitfold.kolmogorov.description.description import Description
from bitfold.kolmogorov.description.report import Report, make_report
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.decoded_weights import decoded_weights
from bitfold.kolmogorov.grid.ranges import WeightRange, make_range
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.grid.straight_through import quantised
from bitfold.kolmogorov.options import (
    as_rest,
    check_count,
    check_quantise,
    check_rest,
    make_predictor,
    make_targets,
    num_rest_bits,
)
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor
from bitfold.kolmogorov.process_agreement import agree
from bitfold.kolmogorov.step_counter import StepCounter
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.selection import Pattern
from bitfold.kolmogorov.weights.subsampling import Subsampling


class KolmogorovLoss(nn.Module):
    """K: what it costs to code a module's weights under what a predictor says of them.

    Calling it gives K in nats per weight, with a gradient to the module's weights and to the
    predictor. The module is referred to, not registered: ``parameters()`` and ``state_dict()`` hold
    what the loss itself learns. Copy the two together, ``copy.deepcopy((module, loss))``; a copy of
    the loss alone refers to a copy of the module of its own.

    Outside the range of the bins a weight is coded as the edge bin and an escape code of how far
    out it is: in K it costs what it would at the edge plus 2 ln(1 + overshoot in bins) nats,
    so that K is finite for all finite weights and pulls them back.

    Source: the seed program's loss; code lengths, escape and count of bits are ours.

    Args:
        module: any module with trainable parameters; they are looked up once, here. Given a
            ``DistributedDataParallel``, its processes share the work (see ``process_group``).
        predictor: ``"row_column"`` (a scale for each tensor, row and column), ``"per_tensor"`` (a
            location and a scale for each tensor), ``"coordinate"`` (a small network from a weight's
            place to a distribution), or a `WeightPredictor` of your own.
        predictor_shape: of the coordinate predictor: hidden widths, 1 to 32 of them of 1 to 4,096;
            None: two of 5.
        kind: of the coordinate predictor: ``"cross_entropy"`` (nats; also None), ``"mse"``
            (unitless), ``"gaussian_nll"`` or ``"laplacian_nll"`` (nats: density times the width of
            a bin).
        bins: values that a weight can take, 2 to 65,536.
        weight_range: the first and the last of them; or ``"auto"``: each tensor learns the step
            between two of them, and 0 is one (`LearnedRange`).
        targets: how a weight is shared among bins: ``"soft"``, ``"linear"``, ``"noise"``,
            ``"rounded"``, or ``"hard"``: K is what coding takes, escapes included, and has no
            gradient to ask for. None: rounded with ``quantise``, else linear.
        temperature: of soft targets, in bins, > 0.
        predictor_bits: precision in which the predictor is sent, 2 to 16 or 32 (float32). Scales of
            rows and columns are sent in eighths of an octave from 8 on, in octaves up to 5. None: 5
            with ``quantise``, else 8. It plays no part in K.
        rest_bits: bits for each number that is not described: frozen and excluded parameters and
            buffers: 32 (float32), 16 (bfloat16, whole numbers in 32), or 0 if the decoder has them.
        include: which parameters to describe, by name pattern or function of name and parameter.
        exclude: which of them not to.
        sample: look at this many weights in a call, drawn anew in each training step, for an
            unbiased K.
        every: in training K is given in every k-th call alone, as k times itself, and is 0 in
            others.
        process_group: processes that share the work in data-parallel training. All get the same K;
            the mean of their gradients by the weights, which such training takes, is K's; the
            loss itself adds up those by what it learns. What is drawn differs by their number.
            Where gradients are off, a process works out K by itself, and may do so alone.
        generator: for the predictor's initial values and the seed of what is drawn, on the CPU;
            None uses the global one.
        quantise: ``"learned"`` for networks that are trained with the weights that a decoder gets,
            in `quantised` blocks: the task then holds the steps, which begin coarse, and scales
            are centred at 0. For ``weight_range="auto"`` alone.

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
        targets: str | None = None,
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
        if isinstance(module, DistributedDataParallel):
            # The group and the module are attributes that PyTorch leaves without types.
            wrapped: Any = module
            module, process_group = wrapped.module, process_group or wrapped.process_group
        check_count("every", every)
        check_count("bins", bins)
        if sample is not None:
            check_count("sample", sample)
        check_quantise(quantise, weight_range)
        check_rest(rest_bits)
        self.predictor_bits = make_precision(predictor_bits, is_short=quantise is not None)
        self.rest_bits, self.every = rest_bits, every
        self.table = ParameterTable(module, include, exclude)
        dtype = self.table.dtype()
        self.quantise, by_task = quantise, quantise is not None
        self.weight_range = make_range(self.table, bins, weight_range, by_task=by_task)
        self.predictor = make_predictor(predictor, predictor_shape, kind, is_centred=by_task)
        self.predictor.attach(self.table.layout, self.bins, generator)
        # Tells where the loss is and in what type it computes, whatever it learns.
        self.register_buffer("like", torch.empty(0), persistent=False)
        self.to(self.table.device, dtype)
        usual = "rounded" if by_task else "linear"
        self.targets = make_targets(targets or usual, temperature, bins)
        self.counter = None
        if targets == "noise" or sample is not None or every > 1:
            self.counter = StepCounter(int(torch.randint(2**62, (), generator=generator)))
        self.subsampling = Subsampling(self.table, sample, process_group)
        self._parts = [*self.weight_range.modules(), *self.predictor.modules()]
        self._fit()
        agree(self, self.counter, self.subsampling.group)

    @property
    def bins(self) -> Bins:
        """The grid of the values, in the units of the range."""
        return self.weight_range.bins

    @property
    def num_weights(self) -> int:
        """How many weights are described; tied ones count once."""
        return self.table.num_weights

    def forward(self) -> Tensor:
        """K of the module as it is now.

        A call in training mode with gradients is a step: the next one draws anew, and ``every``
        counts it. Other calls give K itself, of the draws that the next step will make.

        Returns:
            Nats per weight (`mse`: mean square plus nats of escape), 0-d. Between the steps of
            ``every`` a 0 that depends on nothing.

        Raises:
            KolmogorovError: if the module's parameters were replaced, resized, added or removed
                since this loss was made, or moved to another device.
        """
        if torch.compiler.is_compiling():
            # Gradients are worked out within it, which no graph can hold. PyTorch leaves disable
            # without types.
            disable: Any = torch.compiler.disable
            nats: Tensor = disable(self._step)()
            return nats
        return self._step()

    def quantised(self) -> AbstractContextManager[None]:
        """The module computes with the weights that a decoder gets, while a block lasts.

        Gradients reach the weights as if nothing had been rounded, and learned steps by what
        longer ones would change (`straight_through`). Within the block the module holds other
        tensors; afterwards, also after an exception, its own parameters, unchanged. Whatever goes
        through ``module.parameters()``, such as clipping, comes after it.

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
        """How many weights lie outside the range of the bins: int64, 0-d, on the device."""
        return self.bins.outside(self._values(as_sent=True)).sum()

    def num_out_of_range(self) -> int:
        """How many weights lie outside the range of the bins."""
        return int(self.out_of_range_count())

    def bits(self) -> Description:
        """The whole description length of the weights, in hard bits and itemised.

        - ``weights``: each weight's nearest bin under the predictor *as sent*;
        - ``out_of_range``: the escape codes, see `WeightPredictor.hard_bits`;
        - ``predictor``: its tensors at ``predictor_bits``, see `WeightPredictor.sending_bits`;
        - ``ranges``: the two limits of the bins in float32, or each tensor's step as a bfloat16;
        - ``residual_variance`` (`mse`): in float32;
        - ``frozen``, ``excluded``, ``buffers``, if there are any: at ``rest_bits``.

        The settings themselves (architecture, kind, number of bins, predictor's shape) are taken as
        known to the decoder, as is the extra state that a module may keep beside its tensors.

        Returns:
            The items; NaN bits for the weights while one of them is not finite.

        Raises:
            KolmogorovError: as calling does.
        """
        items = {name: float(bits) for name, bits in self._items().items()}
        return Description(items, self.num_weights)

    def bits_tensor(self) -> Tensor:
        """Total of `bits`: 0-d, on the module's device.

        Without host synchronisation where the predictor's bits do not depend on the weights; those
        of scales do, since a decoder needs none of dead rows and columns, and those of
        `CoordinatePredictor` are counted on the CPU.
        """
        items = self._items()
        weights = self.like.new_zeros(()) + items.pop("weights")
        total: Tensor = weights + sum(items.values())
        return total

    def report(self) -> Report:
        """What each tensor takes: bits, bits per weight, zeros, weights out of range.

        Raises:
            KolmogorovError: as calling does.
        """
        self._check()
        as_sent = sent_predictor(*self._described(), self.predictor_bits)
        return make_report(*self._described(), as_sent, self.subsampling.all_weights())

    def gradient_coverage(self) -> float:
        """The share of weights in range whose slope under the targets is a tenth of the true one.

        The true slope is that of the cost between the weight's two nearest bins; weights for which
        it is 0 are not counted. Kinds that compare a density with the weight itself use no targets:
        their coverage is 1.

        Returns:
            0 to 1; of at most 2^16 weights, evenly spread, where there are more.

        Raises:
            KolmogorovError: as calling does.
        """
        subset = self.subsampling.all_weights()
        return gradient_coverage(self.predictor, self._values(), self._targets(), subset)

    def decoded_state(self) -> dict[str, Tensor]:
        """The module's state as a decoder of `bits` would get it.

        Returns:
            By name, fit for ``module.load_state_dict``: each described parameter moved to its
            nearest value of the grid (also beyond the range, where the escape code says how far);
            tied ones under each of their names; the rest rounded to ``rest_bits``; what is no
            tensor as it is.

        Raises:
            KolmogorovError: as calling does.
        """
        self._check()
        everything = self.subsampling.all_weights()
        pieces = self.table.split(decoded_weights(self.table, self.weight_range, everything))
        decoded = dict(zip(map(id, self.table.parameters), pieces.values(), strict=True))
        state = self.table.module.state_dict(keep_vars=True)
        for name, item in state.items():
            if id(item) in decoded:
                state[name] = decoded[id(item)]
            elif isinstance(item, Tensor):
                state[name] = as_rest(item.detach(), self.rest_bits)
        return dict(state)

    def _step(self) -> Tensor:
        self._check()
        counter = self.counter if self.training and torch.is_grad_enabled() else None
        times = 1
        if counter is not None:
            times = 0 if counter.steps % self.every else self.every
        zero = self.like.new_zeros((), requires_grad=True)
        nats = mean_nats(self._work(times)) if times else zero
        if counter is not None:
            counter.steps += 1
        return nats

    def _work(self, times: int) -> Work:
        group = self._group()
        return Work(
            self.table,
            self.weight_range,
            self.predictor,
            self._targets(),
            self.subsampling.draw(self._seed("sample"), group),
            group,
            self.like.dtype,
            self._own_parameters(),
            times,
        )

    def _own_parameters(self) -> list[nn.Parameter]:
        """As `parameters`, in a tenth of its time: the modules stay what they are."""
        found = [item for part in self._parts for item in part._parameters.values()]
        return [item for item in dict.fromkeys(found) if item is not None]

    def _group(self) -> dist.ProcessGroup | None:
        """Who takes part in a call: without gradients a process may look at K by itself."""
        return self.subsampling.group if torch.is_grad_enabled() else None

    def _targets(self) -> Targets:
        """The targets of the step to come."""
        return self.targets.drawn(self._seed("noise"))

    def _seed(self, what: str) -> int:
        group = self._group()
        rank = 0 if group is None else group.rank()
        return 0 if self.counter is None else self.counter.draw(what, rank)

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

    def _fit(self) -> None:
        subset = self.subsampling.all_weights()
        with torch.no_grad():
            # Weights out of range are coded as the edge bin.
            self.predictor.fit(subset, self.bins.clamp(self._values()))
        if not self.predictor.is_trusted:
            self.predictor.check_masses(subset)

    def _described(self) -> tuple[ParameterTable, WeightRange, WeightPredictor]:
        return self.table, self.weight_range, self.predictor

    def _items(self) -> dict[str, Tensor | float]:
        """Bits of each part; 0-d tensors where they are on the module's device."""
        self._check()
        as_sent = sent_predictor(*self._described(), self.predictor_bits)
        coded = coded_weights(*self._described(), as_sent, self.subsampling.all_weights())
        items: dict[str, Tensor | float] = {
            "weights": coded.bits.sum(),
            "out_of_range": coded.escapes.sum(),
            "predictor": as_sent.bits,
            "ranges": self.weight_range.side_bits,
        }
        if self.predictor.side_bits:
            items["residual_variance"] = self.predictor.side_bits
        for item in ("frozen", "excluded", "buffers"):
            names = getattr(self.table, item)
            if names:
                rest = self.table.named(names)
                items[item] = sum(num_rest_bits(values, self.rest_bits) for values in rest)
        return items

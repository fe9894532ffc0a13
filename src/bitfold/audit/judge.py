"""The verdict on one term and one module."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from bitfold.audit.cuts import CutFinder, Influence
from bitfold.audit.probe import Evaluation, Probe
from bitfold.audit.probed_module import ProbedModule
from bitfold.audit.report import AuditRow, CutSite, Verdict
from bitfold.errors import AuditError

# A gradient that reaches a smaller share of the influencing parameters is weak.
WEAK_SHARE = 0.1
# Sizes of displacements, in root mean squares of the parameters; the most telling one first.
SIZES = (1.0, 0.1, 0.01)
# Tried if data flows from the module, but smaller displacements do not change the value.
FAR_SIZES = (10.0, 100.0, 1000.0)
# Parameters that are moved one by one to estimate how many influence the value.
NUM_SAMPLES = 32
# A change of more than this many times the noise counts as real.
NOISE_FACTOR = 10.0
# Rounding may change a sum by some units in the last place, but not by more than this share.
ROUNDING_UNITS = 64.0
LARGEST_ROUNDING = 1e-6
# Central differences are most exact at about the cube root of the spacing of numbers. A quarter of
# that stays closer to the gradient where the term bends.
SMALL_FACTOR = 0.25
# A tiny displacement, in spacings of numbers: large enough to change most numbers, and small enough
# that few of them cross a step of a piecewise constant operation.
TINY_SPACINGS = 32.0
# Draws of a few parameters each: in some draws no parameter lies on a step.
NUM_DRAWS, NUM_DRAWN = 8, 4


@dataclass(frozen=True, eq=False)
class Base:
    """A term at the parameters as they are.

    Args:
        name: the term's.
        evaluation: with its operation log.
        noise: largest change of the value between evaluations at the same parameters.
    """

    name: str
    evaluation: Evaluation
    noise: float

    @property
    def tolerance(self) -> float:
        """The largest difference of values that noise or rounding explains."""
        share = min(ROUNDING_UNITS * self.evaluation.epsilon, LARGEST_ROUNDING)
        return max(NOISE_FACTOR * self.noise, share * abs(self.evaluation.number))


class Judge:
    """Compares a term's gradient with the way its value depends on modules.

    Args:
        probe: evaluates the term.
        base: the term at the parameters as they are.
        num_directions: random directions for each kind of displacement.
    """

    def __init__(self, probe: Probe, base: Base, num_directions: int) -> None:
        self._probe = probe
        self._base = base
        self._directions = range(num_directions)

    def judge(self, probed: ProbedModule, gradients: Sequence[Tensor | None]) -> AuditRow:
        """Return the verdict on a module.

        Args:
            probed: the module.
            gradients: the term's, for each parameter of the module.
        """
        masks = probed.gradient_masks(gradients)
        num_reached = sum(int(mask.sum()) for mask in masks)
        norms = [float(torch.linalg.vector_norm(g.to_dense())) for g in gradients if g is not None]
        row = AuditRow(
            term=self._base.name,
            module=probed.name,
            verdict=Verdict.REACHES,
            share=num_reached / probed.num_weights,
            norm=sum(norm**2 for norm in norms) ** 0.5,
            agreement=None,
            note=self._noise_note(),
        )
        if num_reached == 0:
            return self._judge_without(probed, row)
        row = replace(row, agreement=self._agreement(probed, gradients))
        if row.share >= WEAK_SHARE:
            return row
        starved = self._num_starved(probed, masks, probed.num_weights - num_reached)
        if num_reached >= WEAK_SHARE * (num_reached + starved):
            return row
        note = f"about {round(starved):,} more parameters influence the value and get no gradient"
        return replace(row, verdict=Verdict.WEAK, note="; ".join(filter(None, (row.note, note))))

    def _noise_note(self) -> str:
        noise = self._base.noise
        return f"the value differs by {noise:.2g} from one evaluation to the next" if noise else ""

    def _agreement(self, probed: ProbedModule, gradients: Sequence[Tensor | None]) -> float | None:
        """2 <a, b> / (<a, a> + <b, b>), a the finite differences and b the slopes."""
        epsilons = [torch.finfo(item.dtype).eps for item in probed.parameters]
        size = SMALL_FACTOR * max(*epsilons, self._base.evaluation.epsilon) ** (1 / 3)
        products = squares = largest = 0.0
        for direction in self._directions:
            there = probed.moves(direction, size)
            back = {parameter: -move for parameter, move in there.items()}
            try:
                change = self._value(there) - self._value(back)
            except AuditError:
                continue
            slope = probed.slope(gradients, back, there)
            products += change * slope
            squares += change**2 + slope**2
            largest = max(largest, abs(change))
        if squares == 0 or (self._base.noise and largest <= NOISE_FACTOR * self._base.noise):
            return None
        return 2 * products / squares

    def _value(self, moves: dict[torch.nn.Parameter, Tensor]) -> float:
        return self._probe.value(self._base.name, moves)

    def _num_starved(self, probed: ProbedModule, masks: list[Tensor], num_without: int) -> float:
        """Estimate how many parameters influence the value but have no gradient."""
        without = [~mask for mask in masks]
        if not any(self._changes(probed, direction, without) for direction in self._directions):
            return 0.0
        generator = torch.Generator().manual_seed(num_without)
        indices = torch.cat([mask.reshape(-1).cpu() for mask in without]).nonzero().squeeze(1)
        order = torch.randperm(len(indices), generator=generator, device="cpu")[:NUM_SAMPLES]
        chosen = indices[order].tolist()
        hits = sum(self._changes(probed, 0, probed.masks_of([index])) for index in chosen)
        # At least one, since moving all of them together changed the value.
        return max(hits / len(chosen) * num_without, 1.0)

    def _changes(self, probed: ProbedModule, direction: int, masks: list[Tensor]) -> bool:
        try:
            value = self._value(probed.moves(direction, 1.0, masks))
        except AuditError:
            return False
        # One parameter of many may change only the last digits, so rounding is not allowed for.
        return abs(value - self._base.evaluation.number) > NOISE_FACTOR * self._base.noise

    def _judge_without(self, probed: ProbedModule, row: AuditRow) -> AuditRow:
        """Judge a module that gets no gradient at the parameters as they are."""
        search = _Search(self._probe, self._base, probed, self._directions)
        is_used = search.is_used()
        for size in SIZES if is_used else SIZES[:1]:
            search.displace(size)
        for size in FAR_SIZES if is_used and not search.depends else ():
            search.displace(size)
        search.check()
        if search.has_gradient:
            verdict = Verdict.WEAK
            row = replace(row, note="; ".join(filter(None, (row.note, "no gradient here"))))
        elif search.depends:
            verdict = Verdict.CUT
        else:
            return replace(row, verdict=Verdict.INDEPENDENT)
        return replace(row, verdict=verdict, agreement=0.0, sites=search.sites())


class _Search:
    """Looks for a dependence and for a gradient at displaced parameters."""

    def __init__(
        self, probe: Probe, base: Base, probed: ProbedModule, directions: Sequence[int]
    ) -> None:
        self._directions = directions
        self._probe = probe
        self._base = base
        self._probed = probed
        assert base.evaluation.log is not None
        self._log = base.evaluation.log
        self._influence = Influence(self._log)
        # The influence under the smallest displacement alone.
        self._nearby = Influence(self._log)
        self._num_evaluated = 0
        self._failure: AuditError | None = None
        self.depends = False
        self.has_gradient = False

    def is_used(self) -> bool:
        """Whether an operation or the caller is given memory of the module's parameters."""
        seen = [tensor for record in self._log.records for tensor in record.inputs]
        seen += [self._log.value] if self._log.value is not None else []
        return any(tensor.storage in self._probed.storages for tensor in seen)

    def displace(self, size: float) -> None:
        """Evaluate the term along random directions, until dependence and gradient are found."""
        for direction in self._directions:
            if self.depends and self.has_gradient:
                return
            moves = self._probed.moves(direction, size)
            try:
                moved = self._probe.evaluate(self._base.name, moves, wanted=self._probed.parameters)
            except AuditError as error:
                self._failure = error
                continue
            assert moved.log is not None
            self._num_evaluated += 1
            self._influence.add(moved.log)
            if size == min(SIZES):
                self._nearby.add(moved.log)
            change = abs(moved.number - self._base.evaluation.number)
            self.depends = self.depends or change > self._base.tolerance
            masks = self._probed.gradient_masks(moved.gradients)
            self.has_gradient = self.has_gradient or any(bool(mask.any()) for mask in masks)

    def check(self) -> None:
        """Raise if no displaced evaluation succeeded: there is nothing to judge by.

        Raises:
            AuditError: the term had no value at any displaced parameters.
        """
        if self._num_evaluated == 0 and self._failure is not None:
            raise AuditError(
                f"Cannot audit term {self._base.name!r}: expected a value near the parameters of "
                f"{self._probed.name!r}, got none: {self._failure}"
            ) from self._failure

    def sites(self) -> tuple[CutSite, ...]:
        """Return where the gradient stops."""
        bit = 1 << self._probed.bit
        passage = self._base.evaluation.passage
        stops = [] if passage is None else passage.stops(self._log.graph, bit)
        hidden = any(isinstance(node, BackwardCFunction) for node in stops)
        finder = CutFinder(
            log=self._log,
            influence=self._influence,
            bit=bit,
            storages=self._probed.storages,
            constant=self._constant_operations() if hidden else (),
        )
        return finder.find(stops)

    def _constant_operations(self) -> set[int]:
        """Operations whose result ignores a tiny displacement, but not a larger one.

        A custom Function computes its own gradient, so only its values tell where that is lost.
        """
        found: set[int] = set()
        size = TINY_SPACINGS * max(torch.finfo(item.dtype).eps for item in self._probed.parameters)
        for draw in range(NUM_DRAWS):
            moves = self._probed.moves(draw, size, self._probed.few(draw, NUM_DRAWN))
            with suppress(AuditError):
                moved = self._probe.evaluate(self._base.name, moves)
                tiny = Influence(self._log)
                assert moved.log is not None
                tiny.add(moved.log)
                records = self._log.records
                found |= {r.index for r in records if self._nearby.is_stopped(r, tiny)}
        return found

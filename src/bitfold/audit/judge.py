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
from bitfold.audit.probed_module import Subject
from bitfold.audit.report import AuditRow, CutSite, Verdict
from bitfold.errors import AuditError

# Below this share of the parameters that influence the value, a gradient reaches too few of them.
WEAK_SHARE = 0.1
# Displacements, in root mean squares of the parameters, the most telling first.
SIZES = (1.0, 0.1, 0.01)
# Tried where data flows from the module, and displacements up to the root mean square show nothing.
FAR_SIZES = (10.0, 100.0, 1000.0)
# Single parameters that are moved to estimate how many influence the value.
NUM_SAMPLES = 32
# A change of this many times the largest seen without any displacement is no noise.
NOISE_FACTOR = 10.0
# Rounding of a sum changes it by some units of its last place, but not by more than this share.
ROUNDING_UNITS = 64.0
LARGEST_ROUNDING = 1e-6
# Central differences are most exact at about the cube root of the spacing of numbers; a quarter of
# it stays nearer to the gradient where the term bends.
SMALL_FACTOR = 0.25
# A displacement so small that few numbers cross a step, in spacings of numbers: large enough that
# most of them change at all.
TINY_SPACINGS = 32.0
# So many times so few parameters: some may lie on a step.
NUM_DRAWS, NUM_DRAWN = 8, 4


@dataclass(frozen=True, eq=False)
class Base:
    """A term at the parameters as they are.

    Args:
        name: the term's.
        evaluation: with its trace.
        noise: by how much its value differs when it is evaluated again.
    """

    name: str
    evaluation: Evaluation
    noise: float

    @property
    def tolerance(self) -> float:
        """Up to which a difference of values shows nothing."""
        share = min(ROUNDING_UNITS * self.evaluation.epsilon, LARGEST_ROUNDING)
        return max(NOISE_FACTOR * self.noise, share * abs(self.evaluation.number))


class Judge:
    """Compares a term's gradient with how its value depends on modules.

    Source: none, ours.

    Args:
        probe: evaluates the term.
        base: the term at the parameters as they are.
        num_directions: random directions for each kind of displacement.
    """

    def __init__(self, probe: Probe, base: Base, num_directions: int) -> None:
        self._probe = probe
        self._base = base
        self._directions = range(num_directions)

    def judge(self, subject: Subject, gradients: Sequence[Tensor | None]) -> AuditRow:
        """Return the finding for a module.

        Args:
            subject: the module.
            gradients: of the term, for each of its parameters.
        """
        masks = subject.gradient_masks(gradients)
        num_reached = sum(int(mask.sum()) for mask in masks)
        norms = [float(torch.linalg.vector_norm(g.to_dense())) for g in gradients if g is not None]
        row = AuditRow(
            term=self._base.name,
            module=subject.name,
            verdict=Verdict.REACHES,
            share=num_reached / subject.num_weights,
            norm=sum(norm**2 for norm in norms) ** 0.5,
            agreement=None,
            note=self._noise_note(),
        )
        if num_reached == 0:
            return self._judge_without(subject, row)
        row = replace(row, agreement=self._agreement(subject, gradients))
        if row.share >= WEAK_SHARE:
            return row
        starved = self._num_starved(subject, masks, subject.num_weights - num_reached)
        if num_reached >= WEAK_SHARE * (num_reached + starved):
            return row
        note = f"about {round(starved):,} more parameters influence the value and get no gradient"
        return replace(row, verdict=Verdict.WEAK, note="; ".join(filter(None, (row.note, note))))

    def _noise_note(self) -> str:
        noise = self._base.noise
        return f"the value differs by {noise:.2g} from one evaluation to the next" if noise else ""

    def _agreement(self, subject: Subject, gradients: Sequence[Tensor | None]) -> float | None:
        """2 <a, b> / (<a, a> + <b, b>) of differences a and slopes b along the directions."""
        epsilons = [torch.finfo(item.dtype).eps for item in subject.parameters]
        size = SMALL_FACTOR * max(*epsilons, self._base.evaluation.epsilon) ** (1 / 3)
        products = squares = largest = 0.0
        for direction in self._directions:
            there = subject.moves(direction, size)
            back = {parameter: -move for parameter, move in there.items()}
            try:
                change = self._value(there) - self._value(back)
            except AuditError:
                continue
            slope = subject.slope(gradients, back, there)
            products += change * slope
            squares += change**2 + slope**2
            largest = max(largest, abs(change))
        if squares == 0 or (self._base.noise and largest <= NOISE_FACTOR * self._base.noise):
            return None
        return 2 * products / squares

    def _value(self, moves: dict[torch.nn.Parameter, Tensor]) -> float:
        return self._probe.value(self._base.name, moves)

    def _num_starved(self, subject: Subject, masks: list[Tensor], num_without: int) -> float:
        """Estimate how many parameters influence the value and have no gradient."""
        without = [~mask for mask in masks]
        if not any(self._changes(subject, direction, without) for direction in self._directions):
            return 0.0
        generator = torch.Generator().manual_seed(num_without)
        places = torch.cat([mask.reshape(-1).cpu() for mask in without]).nonzero().squeeze(1)
        order = torch.randperm(len(places), generator=generator)[:NUM_SAMPLES]
        chosen = places[order].tolist()
        hits = sum(self._changes(subject, 0, subject.masks_of([place])) for place in chosen)
        # One at least, as all of them together showed something.
        return max(hits / len(chosen) * num_without, 1.0)

    def _changes(self, subject: Subject, direction: int, masks: list[Tensor]) -> bool:
        try:
            value = self._value(subject.moves(direction, 1.0, masks))
        except AuditError:
            return False
        # One parameter of many may well change the last places only.
        return abs(value - self._base.evaluation.number) > NOISE_FACTOR * self._base.noise

    def _judge_without(self, subject: Subject, row: AuditRow) -> AuditRow:
        """Judge a module at which no gradient arrives here."""
        search = _Search(self._probe, self._base, subject, self._directions)
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
    """Looks for a dependence, and for a gradient, away from the parameters as they are."""

    def __init__(
        self, probe: Probe, base: Base, subject: Subject, directions: Sequence[int]
    ) -> None:
        self._directions = directions
        self._probe = probe
        self._base = base
        self._subject = subject
        assert base.evaluation.trace is not None
        self._trace = base.evaluation.trace
        self._influence = Influence(self._trace)
        # The same for the smallest displacement alone.
        self._nearby = Influence(self._trace)
        self._num_evaluated = 0
        self._failure: AuditError | None = None
        self.depends = False
        self.has_gradient = False

    def is_used(self) -> bool:
        """Whether an operation, or the caller, is given memory of the module's parameters."""
        seen = [tensor for record in self._trace.records for tensor in record.inputs]
        seen += [self._trace.value] if self._trace.value is not None else []
        return any(tensor.storage in self._subject.storages for tensor in seen)

    def displace(self, size: float) -> None:
        """Evaluate the term along random directions, unless both are known by now."""
        for direction in self._directions:
            if self.depends and self.has_gradient:
                return
            moves = self._subject.moves(direction, size)
            try:
                moved = self._probe.evaluate(
                    self._base.name, moves, wanted=self._subject.parameters
                )
            except AuditError as error:
                self._failure = error
                continue
            assert moved.trace is not None
            self._num_evaluated += 1
            self._influence.add(moved.trace)
            if size == min(SIZES):
                self._nearby.add(moved.trace)
            change = abs(moved.number - self._base.evaluation.number)
            self.depends = self.depends or change > self._base.tolerance
            masks = self._subject.gradient_masks(moved.gradients)
            self.has_gradient = self.has_gradient or any(bool(mask.any()) for mask in masks)

    def check(self) -> None:
        """Refuse to judge by nothing.

        Raises:
            AuditError: no displaced parameters gave the term a value.
        """
        if self._num_evaluated == 0 and self._failure is not None:
            raise AuditError(
                f"Cannot audit term {self._base.name!r}: expected a value near the parameters of "
                f"{self._subject.name!r}, got none: {self._failure}"
            ) from self._failure

    def sites(self) -> tuple[CutSite, ...]:
        """Return where the gradient stops."""
        bit = 1 << self._subject.bit
        passage = self._base.evaluation.passage
        stops = [] if passage is None else passage.stops(self._trace.graph, bit)
        hidden = any(isinstance(node, BackwardCFunction) for node in stops)
        finder = CutFinder(
            trace=self._trace,
            influence=self._influence,
            bit=bit,
            storages=self._subject.storages,
            constant=self._constant_operations() if hidden else (),
        )
        return finder.find(stops)

    def _constant_operations(self) -> set[int]:
        """Operations that a very small displacement does not get through, and a larger one does.

        A custom Function works out its own gradient: only its values tell where that is lost.
        """
        found: set[int] = set()
        size = TINY_SPACINGS * max(torch.finfo(item.dtype).eps for item in self._subject.parameters)
        for draw in range(NUM_DRAWS):
            moves = self._subject.moves(draw, size, self._subject.few(draw, NUM_DRAWN))
            with suppress(AuditError):
                moved = self._probe.evaluate(self._base.name, moves)
                tiny = Influence(self._trace)
                assert moved.trace is not None
                tiny.add(moved.trace)
                records = self._trace.records
                found |= {r.index for r in records if self._nearby.is_stopped(r, tiny)}
        return found

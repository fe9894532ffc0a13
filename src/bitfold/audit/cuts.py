"""Where a gradient stops: from a term's value back to the operations that let go of the graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bitfold.audit.report import CutSite
from bitfold.audit.source_location import Place
from bitfold.audit.trace import Record, Seen, Trace

# One input of a record: the record's index and the input's position.
Slot = tuple[int, int]


class Influence:
    """Which inputs of which operations a module influences: those that differ when it is moved.

    Source: none, ours: differential execution.

    Args:
        base: the evaluation at the parameters.
    """

    def __init__(self, base: Trace) -> None:
        self._base = base
        self.slots: set[Slot] = set()
        self.outputs: set[int] = set()
        self.arguments: set[int] = set()
        self.results: set[int] = set()
        # Operations that another evaluation does without, as its control flow differs.
        self.unmatched: set[int] = set()

    def add(self, moved: Trace) -> None:
        """Take in an evaluation with the module's parameters displaced."""
        others = {record.key: record for record in moved.records}
        for record in self._base.records:
            other = others.get(record.key)
            if other is None or len(other.inputs) != len(record.inputs):
                self.unmatched.add(record.index)
            else:
                self._compare(record, other)

    def _compare(self, record: Record, other: Record) -> None:
        for position, (one, two) in enumerate(zip(record.inputs, other.inputs, strict=True)):
            if one.fingerprint is None or one.fingerprint != two.fingerprint:
                self.slots.add((record.index, position))
        made = [[seen.fingerprint for seen in item.outputs] for item in (record, other)]
        if made[0] != made[1]:
            self.outputs.add(record.index)
        if record.arguments != other.arguments:
            self.arguments.add(record.index)
        if record.results != other.results:
            self.results.add(record.index)

    def is_stopped(self, record: Record, tiny: Influence) -> bool:
        """Whether an operation swallows a tiny displacement, and does not swallow this one.

        Args:
            record: the operation.
            tiny: under the tiny displacement. All that this displacement changes of what the
                operation is given must change under the tiny one too: else it was lost before.
        """
        changing = {(record.index, position) for position in range(len(record.inputs))} & self.slots
        return (
            bool(changing)
            and changing <= tiny.slots
            and record.index not in self.arguments
            and record.index in self.outputs
            and record.index not in tiny.outputs
        )


class CutFinder:
    """Walks back from a term's value along all that the module influences.

    A cut is an operation that is given a tensor whose graph leads to the module and that gives one
    whose graph does not (or a number of Python's, or an array), and an operation into which a
    gradient goes and out of which none comes.

    Source: none, ours.

    Args:
        trace: the evaluation at the parameters.
        influence: of the module.
        bit: the module's, in masks.
        storages: where the module's parameters lie, with their names.
        constant: operations whose result stays the same when the module moves by very little, and
            changes when it moves further.
    """

    def __init__(
        self,
        trace: Trace,
        influence: Influence,
        bit: int,
        storages: Mapping[int, str],
        constant: Collection[int] = (),
    ) -> None:
        self._constant = constant
        self._records = trace.records
        self._trace = trace
        self._influence = influence
        self._bit = bit
        self._storages = storages
        self._found: dict[tuple[Place, str], tuple[int, CutSite]] = {}
        self._visited: set[tuple[int, bool]] = set()
        self._todo: list[tuple[int, bool]] = []
        self._barriers: set[int] = set()

    def find(self, stops: Sequence[Any]) -> tuple[CutSite, ...]:
        """Return the places, in the order in which the operations were carried out.

        Args:
            stops: nodes of the graph where a gradient that is not zero becomes zero.
        """
        for node in stops:
            self._add_stop(node)
        end = len(self._records)
        if self._trace.value is None:
            self._follow_escapes(end, ())
        else:
            self._follow(self._trace.value, end, influenced=True)
        while self._todo:
            self._visit(*self._todo.pop())
        return tuple(site for _, site in sorted(self._found.values(), key=lambda item: item[0]))

    def _add_stop(self, node: Any) -> None:
        index = self._trace.graph.makers.get(node, -1)
        function = getattr(node, "_forward_cls", None)
        if function is None:
            operation, why = None, "passes on a gradient of zero"
        else:
            operation, why = f"{function.__name__}.apply", "passes on no gradient in its backward"
            inside = [r for r in self._records if r.application and _operation(r) == operation]
            index = max((r.index for r in inside if r.index <= index), default=index)
            for record in inside:
                if record.index in self._constant:
                    self._add_constant(record, operation)
        if 0 <= index < len(self._records):
            self._barriers.add(index)
            self._add(self._records[index], why, operation)

    def _add(self, record: Record, why: str, operation: str | None = None) -> None:
        place = record.application.place if record.application else record.place
        name = operation or _operation(record)
        site = CutSite(name, why, place.file, place.line, place.code())
        self._found.setdefault((place, name), (record.index, site))

    def _add_constant(self, record: Record, within: str) -> None:
        why = f"is constant piece by piece, within {within}"
        place = record.place
        site = CutSite(record.operation, why, place.file, place.line, place.code())
        self._found.setdefault((place, record.operation), (record.index, site))

    def _follow(self, seen: Seen, consumer: int, *, influenced: bool) -> None:
        """Go on to whatever made a tensor."""
        carried = bool(seen.carries & self._bit)
        for producer in seen.producers:
            if producer < consumer:
                self._todo.append((producer, carried))
        if seen.producers or carried or not influenced:
            return
        parameter = self._storages.get(seen.storage or 0)
        if parameter is not None and consumer < len(self._records):
            why = f"is given a tensor made before that shares memory with {parameter}"
            self._add(self._records[consumer], why)
        elif not self._follow_escapes(consumer, ()) and consumer < len(self._records):
            why = "is given a tensor that was made where PyTorch does not look"
            self._add(self._records[consumer], why)

    def _visit(self, index: int, carried: bool) -> None:
        if (index, carried) in self._visited or (carried and index in self._barriers):
            return
        self._visited.add((index, carried))
        members = self._members(self._records[index])
        inside = {record.index for record in members}
        for record in members:
            self._visit_inputs(record, inside, carried)
            changed = record.index in self._influence.arguments | self._influence.unmatched
            # Numbers of its own are no cut in a custom Function whose result has a graph.
            own = carried and any(other.index in self._influence.results for other in members)
            if changed and not own:
                self._follow_escapes(record.index, record.arguments)

    def _members(self, record: Record) -> list[Record]:
        """The record, with all before it of the same custom Function."""
        if record.application is None:
            return [record]
        before = self._records[: record.index + 1]
        return [other for other in before if other.application is record.application]

    def _visit_inputs(self, record: Record, inside: Collection[int], carried: bool) -> None:
        unmatched = record.index in self._influence.unmatched
        for position, seen in enumerate(record.inputs):
            influenced = (record.index, position) in self._influence.slots
            if not influenced and not unmatched:
                continue
            if not carried and seen.carries & self._bit:
                self._add(record, _mechanism(record))
            elif not seen.producers or not set(seen.producers) <= set(inside):
                self._follow(seen, record.index, influenced=influenced)

    def _follow_escapes(self, before: int, wanted: Collection[int]) -> bool:
        """Go on to the operations whose numbers or arrays may have been used; say if any were."""
        escapes = [self._records[i] for i in sorted(self._influence.results) if i < before]
        here = self._records[before].application if before < len(self._records) else None
        # What a custom Function works out in NumPy is its own affair, if anything else explains it.
        outside = [record for record in escapes if record.application in (None, here)]
        escapes = outside or escapes
        exact = [record for record in escapes if set(record.results) & set(wanted)]
        for record in exact or escapes:
            self._todo.append((record.index, False))
        return bool(escapes)


def _operation(record: Record) -> str:
    return record.application.operation if record.application else record.operation


def _mechanism(record: Record) -> str:
    if record.application is not None:
        return "gives a result without a graph"
    if record.dtype is None and not record.outputs:
        return "leaves PyTorch for a number or array"
    if record.dtype is not None and not (record.dtype.is_floating_point or record.dtype.is_complex):
        return f"gives {str(record.dtype).removeprefix('torch.')}, which carries no gradient"
    if record.mode:
        return f"runs under {record.mode}"
    return "gives a result without a graph"

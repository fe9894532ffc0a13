"""Where a gradient stops: a walk from a term's value back to the operations that cut the graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bitfold.audit.operation_log import OperationLog, Record, SeenTensor
from bitfold.audit.report import CutSite
from bitfold.audit.source_location import SourceLocation

# One input of a record: the record's index and the input's position.
Slot = tuple[int, int]


class Influence:
    """Which inputs of which operations a module influences.

    An input is influenced if it differs between two evaluations: one with the module's parameters
    as they are, and one with displaced parameters.

    Args:
        base: the evaluation at the parameters.
    """

    def __init__(self, base: OperationLog) -> None:
        self._base = base
        self.slots: set[Slot] = set()
        self.outputs: set[int] = set()
        self.arguments: set[int] = set()
        self.results: set[int] = set()
        # Operations that a displaced evaluation does not run, since its control flow differs.
        self.unmatched: set[int] = set()

    def add(self, moved: OperationLog) -> None:
        """Compare with an evaluation whose parameters of the module are displaced."""
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
        """Whether an operation's output ignores a tiny displacement, but changes under this one.

        Args:
            record: the operation.
            tiny: the influence under the tiny displacement. Every input that changes here must
                change there too; otherwise an earlier operation lost the tiny displacement.
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
    """Walks back from a term's value along everything that the module influences.

    An operation is a cut in two cases. Its input has a graph that leads to the module, and its
    result has none, or is a Python number or an array. Or a gradient enters the operation in the
    backward pass, and none leaves it.

    Args:
        log: the operations of the evaluation at the parameters.
        influence: of the module.
        bit: the module's bit in masks.
        storages: address of each parameter's memory, and the parameter's name.
        constant: operations whose result stays the same when the module moves by very little, but
            changes when it moves further.
    """

    def __init__(
        self,
        log: OperationLog,
        influence: Influence,
        bit: int,
        storages: Mapping[int, str],
        constant: Collection[int] = (),
    ) -> None:
        self._constant = constant
        self._records = log.records
        self._log = log
        self._influence = influence
        self._bit = bit
        self._storages = storages
        self._found: dict[tuple[SourceLocation, str], tuple[int, CutSite]] = {}
        self._visited: set[tuple[int, bool]] = set()
        self._todo: list[tuple[int, bool]] = []
        self._barriers: set[int] = set()

    def find(self, stops: Sequence[Any]) -> tuple[CutSite, ...]:
        """Return the cut sites, in the order in which their operations ran.

        Args:
            stops: nodes of the graph that a nonzero gradient enters and only zeros leave.
        """
        for node in stops:
            self._add_stop(node)
        end = len(self._records)
        if self._log.value is None:
            self._follow_escapes(end, ())
        else:
            self._follow(self._log.value, end, influenced=True)
        while self._todo:
            self._visit(*self._todo.pop())
        return tuple(site for _, site in sorted(self._found.values(), key=lambda item: item[0]))

    def _add_stop(self, node: Any) -> None:
        index = self._log.graph.makers.get(node, -1)
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
        location = record.application.location if record.application else record.location
        name = operation or _operation(record)
        site = CutSite(name, why, location.file, location.line, location.code())
        self._found.setdefault((location, name), (record.index, site))

    def _add_constant(self, record: Record, within: str) -> None:
        why = f"is constant piece by piece, within {within}"
        location = record.location
        site = CutSite(record.operation, why, location.file, location.line, location.code())
        self._found.setdefault((location, record.operation), (record.index, site))

    def _follow(self, seen: SeenTensor, consumer: int, *, influenced: bool) -> None:
        """Continue with the operations that made a tensor."""
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
        """Continue with operations whose numbers or arrays may be used; return if there are any."""
        escapes = [self._records[i] for i in sorted(self._influence.results) if i < before]
        here = self._records[before].application if before < len(self._records) else None
        # NumPy results inside a custom Function count only if no other operation explains the cut.
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

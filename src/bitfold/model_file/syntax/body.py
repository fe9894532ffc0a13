"""The stream of a model file: a plan written, and read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.contexts.tensors import ContextReader, ContextWriter
from bitfold.entropy_coding.laplace.tensors import read_numbers, write_numbers
from bitfold.entropy_coding.mixing.tensors import MixedReader, MixedWriter
from bitfold.entropy_coding.scales.syntax import read_scales, write_scales
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.entropy_coding.trellis.tensors import TrellisReader, TrellisWriter
from bitfold.entropy_coding.value_counts import read_counted, values_of, write_counted
from bitfold.model_file.syntax.coordinates import CoordinateCoder, read_network, write_network
from bitfold.model_file.syntax.counted_plain import (
    COUNTED_PLAIN,
    read_counted_plain,
    write_counted_plain,
)
from bitfold.model_file.syntax.grids import (
    read_exceptions,
    read_grids,
    write_exceptions,
    write_grids,
)
from bitfold.model_file.syntax.methods import read_methods, write_methods
from bitfold.model_file.syntax.plan import (
    CONTEXT,
    COORDINATE,
    COUNTS,
    FLOATS,
    GRID,
    HALVES,
    MIXED,
    ROWS,
    SCALED,
    TRELLIS,
    WHOLES,
    WITH_EXCEPTIONS,
    Plan,
    TensorPlan,
    compact,
)
from bitfold.model_file.syntax.structure import COMPLEX, Item

Coder = TypeVar("Coder")

_TYPES = {FLOATS: "<f4", HALVES: "<i2", WHOLES: "<i4"}


def write_body(writer: StreamWriter, plan: Plan) -> None:
    """Append methods, grids, the predictor, then each tensor."""
    version = plan.version
    write_methods(writer, plan.tensors, version)
    on_grid = plan.coded_by(GRID)
    if on_grid:
        write_grids(writer, plan, on_grid)
        scaled = plan.coded_by(SCALED)
        if scaled:
            write_scales(writer, [tensor.scale for tensor in scaled])
    coordinates = None
    if plan.coordinate is not None:
        write_network(writer, plan)
        coordinates = CoordinateCoder(plan)
    makers: dict[int, Callable[[], ContextWriter | MixedWriter | TrellisWriter]] = {
        CONTEXT: ContextWriter,
        MIXED: lambda: MixedWriter(_shapes(plan)),
        TRELLIS: TrellisWriter,
    }
    tables = _made_for(plan, makers)
    for planned in plan.tensors:
        tensor = planned.loaded()
        if tensor.method in COUNTED_PLAIN:
            write_counted_plain(writer, tensor)
        elif tensor.raw is not None:
            writer.write_array(tensor.raw)
        elif tensor.method in SCALED:
            write_numbers(writer, tensor.numbers.astype(np.int64), plan.model(tensor))
        elif tensor.method in tables:
            shape = tensor.item.box.in_memory
            tables[tensor.method].write(writer, tensor.numbers.astype(np.int64), shape)
        elif tensor.method == COORDINATE and coordinates is not None:
            coordinates.write(writer, tensor)
        elif tensor.method == COUNTS:
            _write_counted(writer, tensor)
        if version > 1 and tensor.method in WITH_EXCEPTIONS:
            write_exceptions(writer, tensor.exceptions)
        del tensor  # before the next one is made


def read_body(reader: StreamReader, items: Sequence[Item], version: int) -> Plan:
    """Read the plan that `write_body` wrote of these items in a file of a version."""
    plan = read_plan(reader, items, version)
    for _ in read_numbers_of(reader, plan, version):
        pass
    return plan


def read_plan(reader: StreamReader, items: Sequence[Item], version: int) -> Plan:
    """Read what stands before the tensors: methods, grids and the predictor."""
    reader.enter("methods")
    methods = read_methods(reader, items, version)
    plan = Plan([TensorPlan(*pair) for pair in zip(items, methods, strict=True)])
    on_grid = plan.coded_by(GRID)
    if on_grid:
        reader.enter("steps")
        read_grids(reader, plan, on_grid, version)
        reader.enter("predictor")
        _read_scales(reader, plan.coded_by(SCALED))
    if plan.coded_by((COORDINATE,)):
        read_network(reader, plan)
    return plan


def read_numbers_of(reader: StreamReader, plan: Plan, version: int) -> Iterator[TensorPlan]:
    """Read the numbers of each tensor of a plan, and the end of the stream after the last one.

    Yields:
        Each tensor's plan with its numbers.
    """
    coordinates = None if plan.coordinate is None else CoordinateCoder(plan)
    makers: dict[int, Callable[[], ContextReader | MixedReader | TrellisReader]] = {
        CONTEXT: ContextReader,
        MIXED: lambda: MixedReader(_shapes(plan)),
        TRELLIS: TrellisReader,
    }
    tables = _made_for(plan, makers)
    for tensor in plan.tensors:
        reader.enter((tensor.item.name,))
        if tensor.method in COUNTED_PLAIN:
            read_counted_plain(reader, tensor)
        elif tensor.method in _TYPES:
            count = tensor.item.size * (2 if tensor.item.kind == COMPLEX else 1)
            tensor.raw = reader.read_array(_TYPES[tensor.method], count)
        elif tensor.method in SCALED:
            tensor.numbers = _read_scaled(reader, plan, tensor)
        elif tensor.method in tables:
            numbers = tables[tensor.method].read(reader, tensor.item.box.in_memory)
            tensor.numbers = compact(numbers)
        elif tensor.method == COORDINATE and coordinates is not None:
            coordinates.read(reader, tensor)
        elif tensor.method == COUNTS:
            tensor.numbers = compact(read_counted(reader, tensor.item.size))
        if version > 1 and tensor.method in WITH_EXCEPTIONS:
            tensor.exceptions = read_exceptions(reader, tensor.item.size)
        yield tensor
    reader.finish()


def _made_for(plan: Plan, makers: Mapping[int, Callable[[], Coder]]) -> dict[int, Coder]:
    """One coder for each method for tables that a plan uses; to make one takes time."""
    used = {tensor.method for tensor in plan.tensors}
    return {method: make() for method, make in makers.items() if method in used}


def _shapes(plan: Plan) -> list[tuple[int, int, int]]:
    """The shapes of the tensors that mixed predictions code."""
    return [tensor.item.box.in_memory for tensor in plan.coded_by((MIXED,))]


def _read_scaled(reader: StreamReader, plan: Plan, tensor: TensorPlan) -> NDArray[Any]:
    # On its own, so that the wide numbers are gone when the tensor is yielded.
    numbers = np.zeros(tensor.item.size, np.int64)
    read_numbers(reader, numbers, plan.model(tensor), plan.distribution)
    return compact(numbers)


def _write_counted(writer: StreamWriter, tensor: TensorPlan) -> None:
    numbers = tensor.numbers.astype(np.int64)
    found = values_of(numbers)
    assert found is not None  # a plan chooses this method only where there are values
    write_counted(writer, numbers, found[0])


def _read_scales(reader: StreamReader, tensors: Sequence[TensorPlan]) -> None:
    if not tensors:
        return
    counts = [tensor.item.box.line_counts if tensor.method == ROWS else () for tensor in tensors]
    for tensor, scale in zip(tensors, read_scales(reader, counts), strict=True):
        tensor.scale = scale

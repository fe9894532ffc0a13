"""The stream of a model file: a plan written, and read again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bitfold.entropy_coding.adaptive_contexts import ContextReader, ContextWriter
from bitfold.entropy_coding.laplace_tables import DISTRIBUTIONS, integer_tables
from bitfold.entropy_coding.scale_reading import read_scales
from bitfold.entropy_coding.scale_syntax import scale_symbols
from bitfold.entropy_coding.streams import StreamReader, StreamWriter, damaged
from bitfold.model_file.syntax.coordinate_coding import CoordinateCoder, read_network, write_network
from bitfold.model_file.syntax.plan import (
    ABSENT,
    CONTEXT,
    COORDINATE,
    FLOATS,
    GRID,
    HALVES,
    ROWS,
    SCALED,
    WHOLES,
    FixedGrid,
    Plan,
    TensorPlan,
    compact,
)
from bitfold.model_file.syntax.stream_parts import (
    get_numbers,
    model_of,
    put_numbers,
    read_methods,
    read_steps,
    write_methods,
    write_steps,
)
from bitfold.model_file.syntax.structure import COMPLEX, REAL, TRANSPOSED, WHOLE, Item, line_counts

_TYPES = {FLOATS: "<f4", HALVES: "<i2", WHOLES: "<i4"}
_USUAL_BINS, _BINS_BITS = 256, 16


def write_body(writer: StreamWriter, plan: Plan) -> None:
    """Methods, grids, predictor, then each tensor."""
    write_methods(writer, plan.tensors)
    on_grid = [tensor for tensor in plan.tensors if tensor.method in GRID]
    if on_grid:
        _write_grids(writer, plan, on_grid)
        scales = [tensor.scale for tensor in on_grid if tensor.method in SCALED]
        if scales:
            writer.put(scale_symbols(scales))
    coordinates = None
    if plan.coordinate is not None:
        write_network(writer, plan)
        coordinates = CoordinateCoder(plan)
    tables, contexts = integer_tables(plan.distribution), ContextWriter()
    for tensor in plan.tensors:
        if tensor.raw is not None:
            writer.plain(tensor.raw)
        elif tensor.method in SCALED:
            put_numbers(writer, tensor.numbers.astype(np.int64), model_of(tensor, tables))
        elif tensor.method == CONTEXT:
            for symbols in contexts.symbols(tensor.numbers.astype(np.int64), tensor.item.sides):
                writer.put(symbols.copy())
        elif tensor.method == COORDINATE and coordinates is not None:
            coordinates.write(writer, tensor)


def read_body(reader: StreamReader, items: Sequence[Item]) -> Plan:
    """What `write_body` wrote of these items."""
    reader.enter("methods")
    methods = read_methods(reader, items)
    plan = Plan([TensorPlan(*pair) for pair in zip(items, methods, strict=True)])
    for tensor in plan.tensors:
        _check_method(reader, tensor)
    on_grid = [tensor for tensor in plan.tensors if tensor.method in GRID]
    if on_grid:
        _read_grids(reader, plan, on_grid)
        reader.enter("predictor")
        _read_predictor(reader, on_grid)
    coordinates = None
    if any(tensor.method == COORDINATE for tensor in on_grid):
        read_network(reader, plan)
        coordinates = CoordinateCoder(plan)
    tables, contexts = integer_tables(plan.distribution), ContextReader()
    for tensor in plan.tensors:
        reader.enter((tensor.item.name,))
        if tensor.method in _TYPES:
            count = tensor.item.size * (2 if tensor.item.kind == COMPLEX else 1)
            tensor.raw = reader.plain(_TYPES[tensor.method], count)
        elif tensor.method in SCALED:
            numbers = np.zeros(tensor.item.size, np.int64)
            get_numbers(reader, numbers, model_of(tensor, tables), plan.distribution)
            tensor.numbers = compact(numbers)
        elif tensor.method == CONTEXT:
            tensor.numbers = compact(contexts.read(reader, tensor.item.sides))
        elif tensor.method == COORDINATE and coordinates is not None:
            coordinates.read(reader, tensor)
    reader.finish()
    return plan


def _write_grids(writer: StreamWriter, plan: Plan, tensors: Sequence[TensorPlan]) -> None:
    writer.bits_of(DISTRIBUTIONS.index(plan.distribution), 1)
    writer.bits_of(plan.grid is not None, 1)
    if plan.grid is not None:
        writer.bits_of(plan.grid.num_bins != _USUAL_BINS, 1)
        if plan.grid.num_bins != _USUAL_BINS:
            writer.bits_of(plan.grid.num_bins - 1, _BINS_BITS)
        writer.plain(np.array([plan.grid.minimum, plan.grid.maximum], "<f4"))
        return
    write_steps(writer, tensors)


def _read_grids(reader: StreamReader, plan: Plan, tensors: Sequence[TensorPlan]) -> None:
    reader.enter("steps")
    plan.distribution = DISTRIBUTIONS[reader.bits_of(1)]
    if reader.bits_of(1):
        num_bins = reader.bits_of(_BINS_BITS) + 1 if reader.bits_of(1) else _USUAL_BINS
        minimum, maximum = map(float, reader.plain("<f4", 2))
        if not (num_bins > 1 and -1e30 <= minimum < maximum <= 1e30):
            raise damaged("expected two limits and some bins, got others", reader.position)
        plan.grid = FixedGrid(minimum, maximum, num_bins)
        return
    read_steps(reader, tensors)


def _read_predictor(reader: StreamReader, tensors: Sequence[TensorPlan]) -> None:
    scaled = [tensor for tensor in tensors if tensor.method in SCALED]
    sides = [line_counts(t.item) if t.method == ROWS else () for t in scaled]
    for tensor, scale in zip(scaled, read_scales(reader, sides) if scaled else (), strict=True):
        tensor.scale = scale


def _check_method(reader: StreamReader, tensor: TensorPlan) -> None:
    is_real = tensor.item.kind in (REAL, TRANSPOSED)
    fits = {WHOLES: tensor.item.kind == WHOLE, FLOATS: tensor.item.kind != WHOLE, ABSENT: True}
    fits[HALVES] = fits[FLOATS]
    if not fits.get(tensor.method, is_real and tensor.item.size > 0):
        raise damaged(
            f"expected a method that suits {tensor.item.name!r}, got {tensor.method}",
            reader.position,
        )

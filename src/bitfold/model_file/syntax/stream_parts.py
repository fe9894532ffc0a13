"""The parts of a model file's stream, each with a function to write and one to read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.laplace_kernels import (
    MOST_SYMBOLS,
    Model,
    Scales,
    get_tensor,
    near_symbols,
    put_tensor,
)
from bitfold.entropy_coding.laplace_tables import IntegerTables
from bitfold.entropy_coding.streams import StreamReader, StreamWriter, damaged
from bitfold.model_file.syntax.plan import TensorPlan
from bitfold.model_file.syntax.structure import TRANSPOSED, Item

Ints = NDArray[np.int64]

_METHOD_BITS = 3
# Chance in 2^16 that a tensor's method is that of the tensor before.
SAME = 15 << 12
# Numbers for which there is room at a time, however many symbols each takes.
_PART = 2**14
_NO_FACTORS = np.zeros(1, np.int64)


def write_methods(writer: StreamWriter, tensors: Sequence[TensorPlan]) -> None:
    """Each tensor's method: a flag whether it is that of the last tensor of its sort, or 3 bits.

    The sorts are vectors and others; the first of one follows the last of the other.
    """
    last: dict[bool, int] = {}
    for tensor in tensors:
        expected = _expected(last, tensor.item)
        if expected is not None:
            writer.flag(tensor.method != expected, SAME)
        if tensor.method != expected:
            writer.bits_of(tensor.method, _METHOD_BITS)
        last[tensor.item.is_vector] = tensor.method


def read_methods(reader: StreamReader, items: Sequence[Item]) -> list[int]:
    """See `write_methods`."""
    methods, last = list[int](), dict[bool, int]()
    for item in items:
        method = _expected(last, item)
        if method is None or reader.flag(SAME):
            method = reader.bits_of(_METHOD_BITS)
        last[item.is_vector] = method
        methods.append(method)
    return methods


def _expected(last: dict[bool, int], item: Item) -> int | None:
    """The method of the last tensor of the same sort, or else of the other."""
    return last.get(item.is_vector, last.get(not item.is_vector))


def write_steps(writer: StreamWriter, tensors: Sequence[TensorPlan]) -> None:
    """Each tensor's step: as a bfloat16, if all are; or each in the form that suits it.

    These are: that of the last tensor of its sort, a bfloat16, a float32.
    """
    steps = np.array([tensor.step for tensor in tensors], "<f4").view("<u4").tolist()
    lasts, repeats = dict[bool, int](), 0
    for tensor, step in zip(tensors, steps, strict=True):
        repeats += lasts.get(tensor.item.is_vector) == step
        lasts[tensor.item.is_vector] = step
    in_forms = any(step & 0xFFFF for step in steps) or 15 * repeats > 2 * len(steps)
    writer.bits_of(in_forms, 1)
    last: dict[bool, int] = {}
    for tensor, step in zip(tensors, steps, strict=True):
        is_long, sort = bool(step & 0xFFFF), tensor.item.is_vector
        if in_forms:
            writer.bits_of(step == last.get(sort), 1)
        if not in_forms or step != last.get(sort):
            if in_forms:
                writer.bits_of(is_long, 1)
            writer.bits_of(step if is_long else step >> 16, 32 if is_long else 16)
        last[sort] = step


def read_steps(reader: StreamReader, tensors: Sequence[TensorPlan]) -> None:
    """See `write_steps`."""
    in_forms = reader.bits_of(1)
    last: dict[bool, int] = {}
    for tensor in tensors:
        sort = tensor.item.is_vector
        if in_forms and reader.bits_of(1):
            step = last.get(sort, 0)
        else:
            is_long = in_forms and reader.bits_of(1)
            step = reader.bits_of(32) if is_long else reader.bits_of(16) << 16
        last[sort] = step
        tensor.step = float(np.uint32(step).view(np.float32))
        if not 0 < tensor.step < float("inf"):
            raise damaged(f"expected a step above 0, got {tensor.step}", reader.position)


def put_numbers(writer: StreamWriter, numbers: Ints, model: Model) -> None:
    """Append numbers by their tables, see `put_tensor`."""
    together, at = model[1][4], 0
    room = np.empty(MOST_SYMBOLS * (together + min(len(numbers), _PART)), np.uint32)
    while at < len(numbers):
        count, at = put_tensor(room, numbers, at, model)
        writer.put(room[:count].copy())


def get_numbers(reader: StreamReader, numbers: Ints, model: Model, distribution: str) -> None:
    """Read numbers into an array, see `get_tensor`."""
    get_tensor(reader.state, reader.words, numbers, model, near_symbols(distribution))
    reader.check()


def model_of(tensor: TensorPlan, tables: IntegerTables) -> Model:
    """How a tensor's numbers are distributed, as the kernels take it."""
    item, sent = tensor.item, tensor.scale
    if not sent.lines:
        return sent.location, one_scale(sent.own, item.size), tables
    rows, columns = (side.exponents for side in sent.lines)
    _, in_line, together = item.sides
    outer, inner = (columns, rows) if item.kind == TRANSPOSED else (rows, columns)
    return sent.location, (sent.own, outer, inner, in_line, together), tables


def one_scale(scale: int, count: int) -> Scales:
    """The same scale for so many numbers."""
    return scale, _NO_FACTORS, _NO_FACTORS, 1, max(1, count)

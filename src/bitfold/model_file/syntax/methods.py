"""The method of each tensor, written and read.

A flag says whether a tensor's method differs from the expected method, which is that of the last
tensor of its sort: vectors are one sort, all other tensors the other. For the first tensor of a
sort it is that of the last tensor of the other sort. 3 bits, 4 from version 2 on, hold a method
that differs, and the method of the very first tensor.
"""

from __future__ import annotations

from collections.abc import Sequence

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.model_file.syntax.plan import (
    ABSENT,
    COUNTED_WHOLES,
    FLOATS,
    HALVES,
    LISTED,
    METHODS,
    WHOLES,
    TensorPlan,
)
from bitfold.model_file.syntax.structure import REAL, TRANSPOSED, WHOLE, Item

# By version.
_METHOD_BITS = {1: 3, 2: 4, 3: 4, 4: 4}
# Frequency in 2^16 of a method that is the expected one.
_SAME = 15 << 12


def write_methods(writer: StreamWriter, tensors: Sequence[TensorPlan], version: int) -> None:
    """Append the methods of tensors, in a file of a version."""
    last: dict[bool, int] = {}
    for tensor in tensors:
        expected = _expected(last, tensor.item)
        if expected is not None:
            writer.write_flag(tensor.method != expected, _SAME)
        if tensor.method != expected:
            writer.write_bits(tensor.method, _METHOD_BITS[version])
        last[tensor.item.is_vector] = tensor.method


def read_methods(reader: StreamReader, items: Sequence[Item], version: int) -> list[int]:
    """Read the methods that `write_methods` wrote of these tensors, which each must suit."""
    methods, last = list[int](), dict[bool, int]()
    for item in items:
        method = _expected(last, item)
        if method is None or reader.read_flag(_SAME):
            method = reader.read_bits(_METHOD_BITS[version])
        last[item.is_vector] = method
        methods.append(method)
    for item, method in zip(items, methods, strict=True):
        if not _suits(method, item):
            raise damaged(
                f"expected a method that suits {item.name!r}, got {method}", reader.position
            )
    return methods


def _expected(last: dict[bool, int], item: Item) -> int | None:
    """The method of the last tensor of the same sort, or else of the other sort."""
    return last.get(item.is_vector, last.get(not item.is_vector))


def _suits(method: int, item: Item) -> bool:
    """Whether a tensor's numbers can be coded by a method."""
    if method == ABSENT:
        return True
    if method in (WHOLES, COUNTED_WHOLES):
        return item.kind == WHOLE and (method == WHOLES or item.size > 0)
    if method in (FLOATS, HALVES, LISTED):
        return item.kind != WHOLE and (method != LISTED or item.size > 0)
    return method < len(METHODS) and item.kind in (REAL, TRANSPOSED) and item.size > 0

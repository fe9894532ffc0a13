"""The step of each tensor's grid, written and read.

One bit says whether steps have forms. Without forms each step is a bfloat16. With them, one bit
says that a step is that of the last tensor of its sort (vectors or others); if not, one bit says
whether a float32 or a bfloat16 follows. In version 2 another bit before the float32 says whether
two float64 follow instead, the step and an offset. In version 3 another bit before everything says
whether all steps are `close_steps`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bitfold.entropy_coding.close_steps import read_close_steps, write_close_steps
from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.model_file.syntax.plan import TensorPlan

# The bits of a float32 that a bfloat16 does not have.
_LOW_BITS = 0xFFFF

Step = tuple[float, float]
"""A step and an offset."""


def write_steps(writer: StreamWriter, tensors: Sequence[TensorPlan], version: int) -> None:
    """Append the steps of tensors, with forms if a step needs them or forms save bits."""
    if version > 2:
        are_close = all(_is_short((tensor.step, tensor.offset)) for tensor in tensors)
        writer.write_bits(int(are_close), 1)
        if are_close:
            numbers = [int(np.float32(tensor.step).view(np.uint32)) >> 16 for tensor in tensors]
            write_close_steps(writer, numbers, [tensor.item.is_vector for tensor in tensors])
            return
    has_forms = _pay_forms(tensors)
    writer.write_bits(int(has_forms), 1)
    last = dict[bool, Step]()
    for tensor in tensors:
        step, sort = (tensor.step, tensor.offset), tensor.item.is_vector
        if has_forms:
            writer.write_bits(int(step == last.get(sort)), 1)
        if not has_forms or step != last.get(sort):
            _write_step(writer, step, has_forms=has_forms, version=version)
        last[sort] = step


def read_steps(reader: StreamReader, tensors: Sequence[TensorPlan], version: int) -> None:
    """Read the steps that `write_steps` wrote into the tensors' plans."""
    if version > 2 and reader.read_bits(1):
        sorts = [tensor.item.is_vector for tensor in tensors]
        numbers = np.array(read_close_steps(reader, sorts), np.uint32) << 16
        for tensor, step in zip(tensors, numbers.view(np.float32).tolist(), strict=True):
            tensor.step = step
        return
    has_forms = bool(reader.read_bits(1))
    last = dict[bool, Step]()
    for tensor in tensors:
        sort = tensor.item.is_vector
        if has_forms and reader.read_bits(1):
            step = last.get(sort, (0.0, 0.0))
        else:
            step = _read_step(reader, has_forms=has_forms, version=version)
        last[sort] = step
        tensor.step, tensor.offset = step
        if not (0 < tensor.step < math.inf and math.isfinite(tensor.offset)):
            raise damaged(
                f"expected a step above 0 and a finite offset, got {tensor.step} and "
                f"{tensor.offset}",
                reader.position,
            )


def _write_step(writer: StreamWriter, step: Step, *, has_forms: bool, version: int) -> None:
    number = _float32_bits(step)
    is_long = number is None or bool(number & _LOW_BITS)
    if has_forms:
        writer.write_bits(int(is_long), 1)
    if is_long and version > 1:
        writer.write_bits(int(number is None), 1)
    if number is None:
        writer.write_array(np.array(step, "<f8"))
    else:
        writer.write_bits(number if is_long else number >> 16, 32 if is_long else 16)


def _read_step(reader: StreamReader, *, has_forms: bool, version: int) -> Step:
    is_long = has_forms and reader.read_bits(1)
    if is_long and version > 1 and reader.read_bits(1):
        step, offset = map(float, reader.read_array("<f8", 2))
        return step, offset
    number = reader.read_bits(32) if is_long else reader.read_bits(16) << 16
    return float(np.uint32(number).view(np.float32)), 0.0


def _float32_bits(step: Step) -> int | None:
    """The bits of a step in float32; None if it has an offset or is no float32."""
    short = np.float32(step[0])
    return int(short.view(np.uint32)) if step[1] == 0 and float(short) == step[0] else None


def _is_short(step: Step) -> bool:
    """Whether a step is a bfloat16 without an offset."""
    number = _float32_bits(step)
    return number is not None and not number & _LOW_BITS


def _pay_forms(tensors: Sequence[TensorPlan]) -> bool:
    """Whether any step is no bfloat16, or enough steps repeat those before them."""
    last, repeats = dict[bool, Step](), 0
    for tensor in tensors:
        step = (tensor.step, tensor.offset)
        if not _is_short(step):
            return True
        repeats += last.get(tensor.item.is_vector) == step
        last[tensor.item.is_vector] = step
    # A repeated step saves 15 bits; each other one takes 2 more with forms.
    return 15 * repeats > 2 * len(tensors)

"""The step of each tensor's grid, written and read.

One bit says whether steps have forms. Without forms each step is a bfloat16. With them, one bit
says that a step is that of the last tensor of its sort (vectors or others); if not, one bit says
whether a float32 or a bfloat16 follows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.model_file.syntax.plan import TensorPlan

# The bits of a float32 that a bfloat16 does not have.
_LOW_BITS = 0xFFFF


def write_steps(writer: StreamWriter, tensors: Sequence[TensorPlan]) -> None:
    """Append the steps of tensors, with forms if a step needs them or forms save bits."""
    steps = np.array([tensor.step for tensor in tensors], "<f4").view("<u4").tolist()
    has_forms = _pay_forms(tensors, steps)
    writer.write_bits(int(has_forms), 1)
    last: dict[bool, int] = {}
    for tensor, step in zip(tensors, steps, strict=True):
        is_long, sort = bool(step & _LOW_BITS), tensor.item.is_vector
        if has_forms:
            writer.write_bits(int(step == last.get(sort)), 1)
        if not has_forms or step != last.get(sort):
            if has_forms:
                writer.write_bits(int(is_long), 1)
            writer.write_bits(step if is_long else step >> 16, 32 if is_long else 16)
        last[sort] = step


def read_steps(reader: StreamReader, tensors: Sequence[TensorPlan]) -> None:
    """Read the steps that `write_steps` wrote into the tensors' plans."""
    has_forms = reader.read_bits(1)
    last: dict[bool, int] = {}
    for tensor in tensors:
        sort = tensor.item.is_vector
        if has_forms and reader.read_bits(1):
            step = last.get(sort, 0)
        else:
            is_long = has_forms and reader.read_bits(1)
            step = reader.read_bits(32) if is_long else reader.read_bits(16) << 16
        last[sort] = step
        tensor.step = float(np.uint32(step).view(np.float32))
        if not 0 < tensor.step < float("inf"):
            raise damaged(f"expected a step above 0, got {tensor.step}", reader.position)


def _pay_forms(tensors: Sequence[TensorPlan], steps: Sequence[int]) -> bool:
    """Whether any step is a float32, or enough steps repeat those before them."""
    last, repeats = dict[bool, int](), 0
    for tensor, step in zip(tensors, steps, strict=True):
        repeats += last.get(tensor.item.is_vector) == step
        last[tensor.item.is_vector] = step
    # A repeated step saves 15 bits; each other one takes 2 more with forms.
    return any(step & _LOW_BITS for step in steps) or 15 * repeats > 2 * len(steps)

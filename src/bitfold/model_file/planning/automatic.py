"""The shortest plan of a module without a Kolmogorov loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.entropy_coding.contexts.tensors import ContextWriter
from bitfold.entropy_coding.laplace.tables import table_bits
from bitfold.entropy_coding.laplace.tensors import tensor_bits
from bitfold.entropy_coding.rans.symbols import symbol_bits
from bitfold.entropy_coding.scales.syntax import scale_bits
from bitfold.entropy_coding.scales.whole_scales import DEAD
from bitfold.entropy_coding.value_counts import values_of
from bitfold.model_file.planning.counted import shorter_plain
from bitfold.model_file.planning.from_kolmogorov import plain
from bitfold.model_file.planning.grids import OnGrid, grid_for, own_grid
from bitfold.model_file.planning.scales import one_scale_for, row_scales
from bitfold.model_file.planning.shifted_grids import shifted_grid
from bitfold.model_file.syntax.grids import exception_bits
from bitfold.model_file.syntax.plan import CONTEXT, COUNTS, SCALES, Plan, TensorPlan, compact
from bitfold.model_file.syntax.structure import REAL, TRANSPOSED, Holder, Item, tensors_of

#: Vectors such as biases and gains are few and matter much, so they are rounded more finely.
VECTOR_TOLERANCE = 1 / 8
# Weights that were rounded once have a larger root mean square by up to sqrt(1 + tolerance**2), and
# steps are rounded to bfloat16: the step for the same tolerance may grow by about this factor.
_SAME_STEP, _MOST_GROWTH = 1 + 2.0**-5, 0.5
#: Buffers of norms, which have a small error only at the largest of them. Tensors by name do not
#: say what is a buffer.
STATISTICS = ("running_mean", "running_var")


# Counts of values need a file of version 2, which earlier releases cannot read. They have to save
# this much.
_VERSION_2_SHARE, _VERSION_2_BITS = 1 / 200, 64
# About what the values themselves take.
_VALUES_BITS = 32


class Planner:
    """Chooses the code of each parameter that takes the fewest bits; buffers stay as they are.

    Args:
        holder: a module, or tensors by name.
        rest_bits: of numbers that are written as they are, 16 or 32.
    """

    def __init__(self, holder: Holder, rest_bits: int) -> None:
        self._rest_bits = rest_bits
        self._tensors = tensors_of(holder)
        self._own_grids = dict[str, OnGrid | None]()
        known = list[tuple[float, float]]()
        # Large tensors tell the step that all may share most exactly.
        for item, tensor in sorted(rounded_tensors(holder), key=lambda pair: -pair[0].size):
            values = _values(tensor)
            if bool(np.isfinite(values).all()):
                found = (own_grid(values) or shifted_grid(values, known)) if item.size else None
                self._own_grids[item.name] = found
                if found is not None:
                    known.append((found.step, found.offset))

    def grids(self, tolerance: float) -> dict[str, OnGrid]:
        """The tensors that are rounded, on grids for a tolerance, by name; see `plan`."""
        found = {
            item.name: self._grid(item, tensor, tolerance, keeps_grids=False)
            for item, tensor in self._tensors
        }
        return {name: grid for name, grid in found.items() if grid is not None}

    def plan(self, tolerance: float, *, keeps_grids: bool = False) -> tuple[Plan, float]:
        """The shortest plan at a tolerance.

        Args:
            tolerance: root mean square of rounding errors over that of weights; with 0, weights
                that lie on no grid are written as they are.
            keeps_grids: whether weights that lie on a grid already stay there even if the
                tolerance allows a coarser one.

        Returns:
            The plan, and an estimate of its bits.
        """
        grids = [self._grid(*pair, tolerance, keeps_grids=keeps_grids) for pair in self._tensors]
        return shortest_plan(self._tensors, grids, self._rest_bits)

    def _grid(
        self, item: Item, tensor: Tensor, tolerance: float, *, keeps_grids: bool
    ) -> OnGrid | None:
        if item.name not in self._own_grids or item.size == 0:
            return None
        own = self._own_grids[item.name]
        if tolerance == 0 or (keeps_grids and own is not None):
            return own
        finer = VECTOR_TOLERANCE if item.is_vector else 1.0
        found = grid_for(_values(tensor), tolerance * finer)
        # A grid of about the same step would add errors and save nothing.
        same_step = _SAME_STEP * math.hypot(1.0, min(tolerance, _MOST_GROWTH))
        is_coarse = own is not None and own.step * same_step >= found.step
        return own if is_coarse else found


def shortest_plan(
    tensors: Sequence[tuple[Item, Tensor]], grids: Sequence[OnGrid | None], rest_bits: int
) -> tuple[Plan, float]:
    """The shortest plan of tensors on grids, and an estimate of its bits.

    Args:
        tensors: of a module.
        grids: of each; None: its numbers are written as they are.
        rest_bits: of these numbers, 16 or 32.
    """
    contexts, plans, total = ContextWriter(), list[TensorPlan](), 0.0
    for (item, tensor), grid in zip(tensors, grids, strict=True):
        if grid is None:
            chosen, bits = shorter_plain(plain(item, tensor, rest_bits))
        else:
            chosen, bits = _shortest(item, grid, contexts)
        plans.append(chosen)
        total += bits
    return Plan(plans), total


def rounded_tensors(holder: Holder) -> list[tuple[Item, Tensor]]:
    """The tensors of real numbers that may be rounded: no buffers, and no statistics of norms."""
    return [
        (item, tensor)
        for item, tensor in tensors_of(holder)[: _num_rounded(holder)]
        if item.kind in (REAL, TRANSPOSED) and not item.name.endswith(STATISTICS)
    ]


def _num_rounded(holder: Holder) -> int:
    """How many tensors may be rounded: a module's parameters, which stand before its buffers."""
    if isinstance(holder, nn.Module):
        return sum(1 for _ in holder.parameters())
    return len(holder)


def _values(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.reshape(-1).to(torch.float32).cpu().resolve_neg().numpy()


def _shortest(item: Item, grid: OnGrid, contexts: ContextWriter) -> tuple[TensorPlan, float]:
    """The plan of the method that takes the fewest bits, and these bits."""
    planned = TensorPlan(
        item,
        CONTEXT,
        compact(grid.numbers),
        step=grid.step,
        offset=grid.offset,
        exceptions=grid.exceptions,
    )
    plans = [replace(planned, method=SCALES, scale=one_scale_for(grid.numbers))]
    if item.box.line_counts and plans[0].scale.own != DEAD:
        plans.append(row_scales(plans[0]))
    found = [(_scale_cost(plan), number) for number, plan in enumerate(plans)]
    before = contexts.contexts.copy()
    plans.append(planned)
    found.append(
        (sum(map(symbol_bits, contexts.symbols(grid.numbers, item.box.in_memory))), len(plans) - 1)
    )
    bits, chosen = min(found)
    counted = values_of(grid.numbers)
    if counted is not None and counted[1] * (1 + _VERSION_2_SHARE) + _VERSION_2_BITS < bits:
        plans, bits, chosen = [replace(planned, method=COUNTS)], counted[1] + _VALUES_BITS, 0
    if plans[chosen].method != CONTEXT:
        contexts.contexts = before
    return plans[chosen], bits + exception_bits(grid.exceptions)


def _scale_cost(plan: TensorPlan) -> float:
    model = Plan([plan]).model(plan)
    of_weights = tensor_bits(plan.numbers.astype(np.int64), model, table_bits("laplace"))
    return float(of_weights) + scale_bits([plan.scale])

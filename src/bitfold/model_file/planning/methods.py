"""The method of each tensor on a grid that takes the fewest bits."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from bitfold.entropy_coding.contexts.tensors import ContextWriter
from bitfold.entropy_coding.laplace.tables import table_bits
from bitfold.entropy_coding.laplace.tensors import tensor_bits
from bitfold.entropy_coding.mixing.tensors import MixedWriter
from bitfold.entropy_coding.rans.symbols import symbol_bits
from bitfold.entropy_coding.scales.syntax import scale_bits
from bitfold.entropy_coding.scales.whole_scales import DEAD, flat_scales
from bitfold.entropy_coding.trellis.tensors import TrellisWriter
from bitfold.entropy_coding.value_counts import values_of
from bitfold.model_file.planning.grids import OnGrid
from bitfold.model_file.planning.scales import one_scale_for, row_scales
from bitfold.model_file.syntax.grids import exception_bits
from bitfold.model_file.syntax.plan import (
    CONTEXT,
    COUNTS,
    MIXED,
    SCALES,
    TRELLIS,
    Plan,
    TensorPlan,
    compact,
)
from bitfold.model_file.syntax.structure import Item

# Counts of values need a file of version 2, and mixed predictions one of version 3, which earlier
# releases cannot read. They have to save this much.
_NEWER_SHARE, _NEWER_BITS = 1 / 200, 64
# About what the values themselves take.
_VALUES_BITS = 32
#: Mixed predictions take several times longer to read than contexts: modules of more numbers on
#: grids are not tried with them.
_MOST_MIXED: Final = 2**16

Chosen = tuple[TensorPlan, float]
"""A plan and its bits."""


def shortest_on_grids(tensors: Sequence[tuple[Item, OnGrid]]) -> list[Chosen]:
    """The plans of the methods that take the fewest bits, and these bits.

    Args:
        tensors: all tensors of a module that are on grids, in its order.
    """
    old = _Coders(None)
    usual = [old.shortest(item, grid) for item, grid in tensors]
    if sum(item.size for item, _ in tensors) > _MOST_MIXED:
        return usual
    new = _Coders(MixedWriter([item.box.in_memory for item, _ in tensors]))
    mixed = [new.shortest(item, grid) for item, grid in tensors]
    bits, fewer = (sum(bits for _, bits in plans) for plans in (usual, mixed))
    return mixed if fewer * (1 + _NEWER_SHARE) + _NEWER_BITS < bits else usual


class _Coders:
    """Codes that learn from tensors before, each from those for which it was chosen.

    Args:
        mixed: mixed predictions; None: they are not tried.
    """

    def __init__(self, mixed: MixedWriter | None) -> None:
        self._contexts, self._mixed, self._trellis = ContextWriter(), mixed, TrellisWriter()

    def shortest(self, item: Item, grid: OnGrid) -> Chosen:
        """The plan of the method that takes the fewest bits, and these bits."""
        planned = TensorPlan(
            item,
            CONTEXT,
            compact(grid.numbers),
            step=grid.step,
            offset=grid.offset,
            exceptions=grid.exceptions,
        )
        # By any other method a number on a trellis takes about a bit more.
        if grid.on_trellis and grid.numbers.any():
            return self._by_trellis(planned, grid)
        before = self._contexts.contexts.copy()
        best = min(_by_scales(planned), key=_bits_of)
        best = min(best, self._by_contexts(planned, grid, best[1]), key=_bits_of)
        best = self._by_mixed(planned, grid, best)
        if best[0].method != CONTEXT:
            self._contexts.contexts = before
        return best[0], best[1] + exception_bits(grid.exceptions)

    def _by_contexts(self, planned: TensorPlan, grid: OnGrid, most_bits: float) -> Chosen:
        """The plan by contexts, which learn from it, or by counts of values."""
        shape = planned.item.box.in_memory
        bits = float(sum(map(symbol_bits, self._contexts.symbols(grid.numbers, shape))))
        found, counted = (planned, bits), values_of(grid.numbers)
        if counted is not None:
            least = min(bits, most_bits)
            if counted[1] * (1 + _NEWER_SHARE) + _NEWER_BITS < least:
                found = replace(planned, method=COUNTS), counted[1] + _VALUES_BITS
        return found

    def _by_mixed(self, planned: TensorPlan, grid: OnGrid, best: Chosen) -> Chosen:
        """The plan by mixed predictions if it is shorter than the best one so far."""
        if self._mixed is None or len(grid.exceptions.places):
            return best
        learned, shape = copy.deepcopy(self._mixed), planned.item.box.in_memory
        numbers = grid.numbers.astype(np.int64, copy=False)
        of_numbers, _, of_flags = learned.count(numbers, numbers[None], shape)
        bits = float(of_numbers.sum()) + of_flags
        if bits >= best[1]:
            return best
        self._mixed = learned
        return replace(planned, method=MIXED), bits

    def _by_trellis(self, planned: TensorPlan, grid: OnGrid) -> Chosen:
        """The plan by a trellis, on which the numbers lie."""
        symbols = self._trellis.symbols(grid.numbers, planned.item.box.in_memory)
        return replace(planned, method=TRELLIS), float(sum(map(symbol_bits, symbols)))


def _bits_of(chosen: Chosen) -> float:
    return chosen[1]


def _by_scales(planned: TensorPlan) -> list[Chosen]:
    """The plans by one scale, and by scales of rows and columns if there are any."""
    plans = [replace(planned, method=SCALES, scale=one_scale_for(planned.numbers))]
    if planned.item.box.line_counts and plans[0].scale.own != DEAD:
        plans.append(row_scales(plans[0]))
    return [(plan, _scale_cost(plan)) for plan in plans]


def _scale_cost(plan: TensorPlan) -> float:
    model = Plan([plan]).model(plan)
    of_weights = tensor_bits(plan.numbers.astype(np.int64), model, table_bits("laplace"))
    return float(of_weights) + scale_bits(flat_scales([plan.scale]))

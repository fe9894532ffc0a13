"""The shortest plan of a module without a Kolmogorov loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.model_file.planning.counted import shorter_plain
from bitfold.model_file.planning.from_kolmogorov import plain
from bitfold.model_file.planning.grids import OnGrid, grid_for, own_grid
from bitfold.model_file.planning.methods import shortest_on_grids
from bitfold.model_file.planning.shifted_grids import shifted_grid
from bitfold.model_file.syntax.plan import Plan, TensorPlan
from bitfold.model_file.syntax.structure import REAL, TRANSPOSED, Holder, Item, tensors_of

#: Vectors such as biases and gains are few and matter much, so they are rounded more finely.
VECTOR_TOLERANCE = 1 / 8
# Weights that were rounded once have a larger root mean square by up to sqrt(1 + tolerance**2), and
# steps are rounded to bfloat16: the step for the same tolerance may grow by about this factor.
_SAME_STEP, _MOST_GROWTH = 1 + 2.0**-5, 0.5
# A step on a trellis takes about as many bits as one on a grid that is longer by one over this.
_TRELLIS_STEP = 0.55
#: Buffers of norms, which have a small error only at the largest of them. Tensors by name do not
#: say what is a buffer.
STATISTICS = ("running_mean", "running_var")


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

    def grids(self, rounded: Callable[[Item, Tensor], OnGrid]) -> dict[str, OnGrid]:
        """The tensors that are rounded, on grids, by name.

        Args:
            rounded: a tensor on a grid. Weights that lie on a grid of about this step, or of a
                longer one, stay there.
        """
        found = dict[str, OnGrid]()
        for item, tensor in self._tensors:
            if item.name in self._own_grids and item.size:
                new, own = rounded(item, tensor), self._own_grids[item.name]
                found[item.name] = _kept(own, new, _SAME_STEP)
        return found

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
        return _kept(own, found, same_step)


def _kept(own: OnGrid | None, new: OnGrid, same_step: float) -> OnGrid:
    """The grid on which weights lie already, unless the new one has a longer step."""
    step = new.step / _TRELLIS_STEP if new.on_trellis else new.step
    return own if own is not None and own.step * same_step >= step else new


def shortest_plan(
    tensors: Sequence[tuple[Item, Tensor]], grids: Sequence[OnGrid | None], rest_bits: int
) -> tuple[Plan, float]:
    """The shortest plan of tensors on grids, and an estimate of its bits.

    Args:
        tensors: of a module.
        grids: of each; None: its numbers are written as they are.
        rest_bits: of these numbers, 16 or 32.
    """
    gridded = [(i, g) for (i, _), g in zip(tensors, grids, strict=True) if g is not None]
    found = iter(shortest_on_grids(gridded))
    plans, total = list[TensorPlan](), 0.0
    for (item, tensor), grid in zip(tensors, grids, strict=True):
        chosen = shorter_plain(plain(item, tensor, rest_bits)) if grid is None else next(found)
        plans.append(chosen[0])
        total += chosen[1]
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

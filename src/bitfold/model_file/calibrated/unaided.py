"""Tensors of which only the numbers are known, rounded for a given lambda. Imports Numba."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from bitfold.model_file.calibrated.blind import rounded_alone, rounded_vector
from bitfold.model_file.calibrated.guess import guessed_bits, sample_of
from bitfold.model_file.calibrated.tables import Known, is_large
from bitfold.model_file.planning.automatic import Planner, rounded_tensors
from bitfold.model_file.planning.grids import OnGrid
from bitfold.model_file.syntax.structure import Holder, Item

# An error matters by the tensor's mean square to the power of minus this, and by its count of
# weights likewise: where weights are small, small errors matter, and a layer of many weights adds
# up more of them before they are looked at again, but each costs a bit.
_POWER_SHARE, _SIZE_SHARE = 0.5, 0.5
# A mean square of less than this share of the module's counts as this share.
_LEAST_SHARE = 1e-30


class UnaidedTensors:
    """Rounds each weight to the bin with the least sum of damage and lambda times bits.

    Each tensor has a step of its own, by its mean square and its size. A vector, such as a bias,
    counts as part of the table before it, but with half the step.

    Args:
        holder: a module, or tensors by name.
        planner: of the holder.
    """

    def __init__(self, holder: Holder, planner: Planner) -> None:
        self._planner = planner
        tensors = rounded_tensors(holder)
        self._importance = _importance(tensors)
        in_large = is_large(sum(item.size for item, _ in tensors))
        self._known = {item.name: Known(in_large) for item, _ in tensors}
        # A vector has half the step, as if it were four times as important.
        self._samples = [
            sample_of(tensor, self._importance[item.name] * (4 if item.is_vector else 1))
            for item, tensor in tensors
        ]

    def guessed_bits(self, rate: float) -> float:
        """About the bits of all tensors, see `grids`."""
        return guessed_bits(self._samples, rate)

    def grids(self, rate: float) -> dict[str, OnGrid]:
        """The tensors on grids, by name.

        Args:
            rate: lambda: a bit is worth this share of the sum of all squares.
        """

        def rounded(item: Item, tensor: Tensor) -> OnGrid:
            importance = self._importance[item.name]
            if item.is_vector:
                values = tensor.reshape(-1).cpu().double().numpy()
                return rounded_vector(values, importance, rate)
            known = self._known[item.name]
            return rounded_alone(tensor, np.full(len(tensor), importance), rate, known)

        return self._planner.grids(rounded)


def _importance(tensors: Sequence[tuple[Item, Tensor]]) -> dict[str, float]:
    """The damage of the square of an error in each tensor, as a share of the sum of squares."""
    squares = {
        item.name: float(tensor.detach().double().square().sum()) for item, tensor in tensors
    }
    sizes = [item.size for item, _ in tensors]
    total = sum(squares.values()) or 1.0
    mean, largest = total / max(sum(sizes), 1), max(sizes, default=1)
    found, table = dict[str, float](), largest
    for item, _ in tensors:
        if not item.is_vector:
            table = item.size
        own = max(squares[item.name] / max(item.size, 1), mean * _LEAST_SHARE)
        smaller = largest / max(table, 1)
        found[item.name] = (mean / own) ** _POWER_SHARE * smaller**_SIZE_SHARE / total
    return found

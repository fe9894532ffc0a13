"""The matrices that Muon steps, as the compiled loops take them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.optim import Optimizer

#: The address of Muon's loop, Muon's settings, the matrices' places and shapes, the factors of
#: their rates, and room; see `muon_kernels.step_muon`.
MatrixArrays = tuple[
    int, NDArray[np.float64], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]
]

#: For optimisers that know no matrices.
NO_MATRICES: MatrixArrays = (
    0,
    np.zeros(0),
    np.zeros((0, 3), np.int64),
    np.zeros(0, np.float32),
    np.zeros(0, np.float32),
)


class MuonMatrices:
    """Matrices among parameters in flat memory.

    Args:
        optimizer: Muon of the matrices; its settings are read before each call.
        parameters: all that lie in the flat array, in its order.
    """

    def __init__(self, optimizer: Optimizer, parameters: Sequence[nn.Parameter]) -> None:
        self._optimizer = optimizer
        stepped = {id(item) for item in self._group["params"]}
        first, places = 0, []
        for item in parameters:
            if id(item) in stepped:
                places.append((first, *item.shape))
            first += item.numel()
        self._places = np.array(places, np.int64)
        self._room = np.zeros(4 * max(rows * columns for _, rows, columns in places), np.float32)
        self._loop: Any = None

    @property
    def _group(self) -> dict[str, Any]:
        """The settings, in an object that loading a state replaces."""
        found: dict[str, Any] = self._optimizer.param_groups[0]
        return found

    def arrays(self, state: tuple[Any, ...]) -> MatrixArrays:
        """Return the arrays for the next steps, at the optimiser's present settings.

        Args:
            state: what else the loop takes: parameters, gradient, moments, count and settings.
        """
        from bitfold.runtime.loop_cache.addresses import LoopAddress  # noqa: PLC0415 - Numba is slow
        from bitfold.training.whole_epoch.optimizers.muon_kernels import step_muon  # noqa: PLC0415 - as above

        rest = self._settings(), self._places, self._factors(), self._room
        if self._loop is None:
            self._loop = LoopAddress(step_muon, *state, *rest)
        return (self._loop.number, *rest)

    def _settings(self) -> NDArray[np.float64]:
        from bitfold.training.whole_epoch.optimizers import muon_kernels as k  # noqa: PLC0415 - Numba is slow

        found, group = np.zeros(k.NUM_SETTINGS), self._group
        found[k.RATE], found[k.DECAY] = group["lr"], group["weight_decay"]
        found[k.MOMENTUM], found[k.NESTEROV] = group["momentum"], group["nesterov"]
        found[k.EPSILON], found[k.STEPS] = group["eps"], group["ns_steps"]
        found[[k.LINEAR, k.CUBIC, k.QUINTIC]] = group["ns_coefficients"]
        return found

    def _factors(self) -> NDArray[np.float32]:
        """Return the factor of each matrix's rate, by the rule that PyTorch has under that name."""
        rule = self._group["adjust_lr_fn"]
        sizes = [(rows, columns) for _, rows, columns in self._places.tolist()]
        if rule == "match_rms_adamw":
            factors = [0.2 * math.sqrt(max(size)) for size in sizes]
        else:
            factors = [math.sqrt(max(1.0, rows / columns)) for rows, columns in sizes]
        return np.array(factors, np.float32)

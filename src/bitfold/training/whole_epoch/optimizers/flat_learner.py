"""Parameters and their optimiser's state in flat memory, where compiled loops change them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD, Muon, Optimizer

from bitfold.training.whole_epoch.optimizers.muon_matrices import (
    NO_MATRICES,
    MatrixArrays,
    MuonMatrices,
)
from bitfold.training.whole_epoch.optimizers.settings import settings_of_group, state_names

#: What the compiled loops take: parameters, gradient, the optimiser's state, its count of steps,
#: its settings, and matrices that Muon steps.
LearnerArrays = tuple[
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float64],
    NDArray[np.float64],
    MatrixArrays,
]


class FlatLearner:
    """Parameters that compiled loops step.

    The parameters and the tensors of the optimiser's state become views of flat arrays. They keep
    their values, and everything else that reads or changes them goes on as before. Where another
    tensor takes the place of a view, as when a state is loaded, `arrays` makes a view of it again.

    Args:
        parameters: float32 on the CPU, in the order of the flat arrays.
        optimizers: Adam, AdamW, SGD or RMSprop of exactly these parameters; or Muon of the
            matrices, and AdamW of the rest.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], optimizers: Sequence[Optimizer]) -> None:
        self._parameters = list(parameters)
        *others, self._optimizer = optimizers
        self._muon = MuonMatrices(others[0], self._parameters) if others else None
        owners = {id(p): one for one in optimizers for p in one.param_groups[0]["params"]}
        self._owners = [owners[id(item)] for item in self._parameters]
        sizes = accumulate((item.numel() for item in self._parameters), initial=0)
        self._slices = [slice(start, stop) for start, stop in pairwise(sizes)]
        size = self._slices[-1].stop
        self._names = [state_names(owner) for owner in self._owners]
        num_moments = max(map(len, self._names))
        # PyTorch aligns memory to 64 bytes.
        self._flat, self._gradient = (
            torch.zeros(size, device="cpu"),
            torch.zeros(size, device="cpu"),
        )
        self._moments = torch.zeros(max(1, num_moments), size, device="cpu")
        self._steps = torch.zeros(len(self._parameters), device="cpu")
        # Parameters whose optimiser counts steps.
        self._counted = [i for i, owner in enumerate(self._owners) if _counts_steps(owner)]
        self._count = np.zeros(1)
        self._arrays = self._flat.numpy(), self._gradient.numpy(), self._moments.numpy()
        # The states of the parameters, and the views of the arrays that they hold, by name.
        self._states: list[dict[str, Any]] = []
        self._views: list[tuple[dict[str, Any], str, Tensor]] = []
        self._addresses: list[int] = []

    @property
    def size(self) -> int:
        """The number of parameters."""
        return len(self._flat)

    def arrays(self, clip_norm: float | None = None) -> LearnerArrays:
        """Return the arrays for the next steps, at the optimiser's present rate.

        Args:
            clip_norm: of the gradient; None clips nothing.
        """
        if not self._is_bound():
            self._bind()
        self._count[0] = self._steps[self._counted[0]].item() if self._counted else 0.0
        settings = settings_of_group(self._optimizer, clip_norm, has_muon=self._muon is not None)
        state = (*self._arrays, self._count, settings)
        return (*state, NO_MATRICES if self._muon is None else self._muon.arrays(state))

    def finish(self) -> None:
        """Take note of the steps that the loops counted."""
        self._steps.fill_(float(self._count[0]))

    def _is_bound(self) -> bool:
        addresses = [item.data_ptr() for item in self._parameters]
        if not self._states or addresses != self._addresses:
            return False
        # Looked through in their order: to look one up, the hash of a tensor takes longest.
        held = {id(state) for owner in set(self._owners) for state in owner.state.values()}
        if not held.issuperset(map(id, self._states)):
            return False
        return all(state.get(name) is view for state, name, view in self._views)

    @torch.no_grad()
    def _bind(self) -> None:
        self._views, self._states = [], []
        for number, item in enumerate(self._parameters):
            part, owner = self._slices[number], self._owners[number]
            place = self._flat[part].view(item.shape)
            place.copy_(item)
            item.data = place
            rows = zip(self._names[number], self._moments, strict=False)
            views = {name: row[part].view(item.shape) for name, row in rows}
            if number in self._counted:
                views["step"] = self._steps[number]
            state: dict[str, Any] = owner.state[item]
            for name, view in views.items():
                before = state.get(name)
                view.copy_(torch.zeros_like(view) if before is None else before)
                state[name] = view
                self._views.append((state, name, view))
            self._states.append(state)
        self._addresses = [item.data_ptr() for item in self._parameters]


def _counts_steps(optimizer: Optimizer) -> bool:
    return not isinstance(optimizer, SGD | Muon)

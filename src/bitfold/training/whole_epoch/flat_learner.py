"""Parameters and their optimiser's state in flat memory, where compiled loops change them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from bitfold.training.whole_epoch.optimizer_settings import settings_of_group, state_names

#: What the compiled loops take: parameters, gradient, the optimiser's state, its count of steps,
#: and its settings.
LearnerArrays = tuple[
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float64],
    NDArray[np.float64],
]


class FlatLearner:
    """Parameters with one optimiser that compiled loops step.

    The parameters and the tensors of the optimiser's state become views of flat arrays. They keep
    their values, and everything else that reads or changes them goes on as before. Where another
    tensor takes the place of a view, as when a state is loaded, `arrays` makes a view of it again.

    Args:
        parameters: float32 on the CPU, in the order of the flat arrays.
        optimizer: Adam, AdamW, SGD or RMSprop of exactly these parameters.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], optimizer: Optimizer) -> None:
        self._parameters, self._optimizer = list(parameters), optimizer
        sizes = accumulate((item.numel() for item in self._parameters), initial=0)
        self._slices = [slice(start, stop) for start, stop in pairwise(sizes)]
        size = self._slices[-1].stop
        self._names = state_names(optimizer)
        # PyTorch aligns memory to 64 bytes.
        self._flat, self._gradient = torch.zeros(size), torch.zeros(size)
        self._moments = torch.zeros(max(1, len(self._names)), size)
        self._steps = torch.zeros(len(self._parameters))
        self._count = np.zeros(1)
        self._views: list[dict[str, Tensor]] = []
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
        self._count[0] = float(self._steps[0])
        settings = settings_of_group(self._optimizer, clip_norm)
        flat = (self._flat.numpy(), self._gradient.numpy(), self._moments.numpy())
        return (*flat, self._count, settings)

    def finish(self) -> None:
        """Take note of the steps that the loops counted."""
        self._steps.fill_(float(self._count[0]))

    def _is_bound(self) -> bool:
        if not self._views or [item.data_ptr() for item in self._parameters] != self._addresses:
            return False
        state = self._optimizer.state
        return all(
            state[item].get(name) is view
            for item, views in zip(self._parameters, self._views, strict=True)
            for name, view in views.items()
        )

    @torch.no_grad()
    def _bind(self) -> None:
        self._views = []
        for number, (item, part) in enumerate(zip(self._parameters, self._slices, strict=True)):
            place = self._flat[part].view(item.shape)
            place.copy_(item)
            item.data = place
            rows = zip(self._names, self._moments, strict=False)
            views = {name: row[part].view(item.shape) for name, row in rows}
            if not isinstance(self._optimizer, SGD):
                views["step"] = self._steps[number]
            state: dict[str, Any] = self._optimizer.state[item]
            for name, view in views.items():
                before = state.get(name)
                view.copy_(torch.zeros_like(view) if before is None else before)
                state[name] = view
            self._views.append(views)
        self._addresses = [item.data_ptr() for item in self._parameters]


def can_be_flat(optimizer: Optimizer) -> bool:
    """Whether `FlatLearner` takes an optimiser of this kind."""
    return isinstance(optimizer, Adam | AdamW | SGD | RMSprop)

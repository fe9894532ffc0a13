"""A run as pages look at it: its network with the weights of any moment."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from numpy.typing import NDArray

from bitfold.errors import StudioError
from bitfold.recording.network_view import NetworkView
from bitfold.training import RunRecord


class RunView:
    """The network of a run, whose weights change with the moment that is shown.

    Args:
        path: the folder of the run.

    Raises:
        RunError: the folder holds no run.
    """

    def __init__(self, path: str) -> None:
        self.run = RunRecord.open(path)
        self._folder_number = self.run.path.stat().st_ino
        self._network = self.run.new_network().eval()
        self.view = NetworkView.of_network(self._network, self.run.target)

    def is_replaced(self) -> bool:
        """Whether another run lies in the folder now; a folder that is gone is still this run's."""
        with suppress(OSError):
            return self.run.path.stat().st_ino != self._folder_number
        return False

    def show(self, weights: NDArray[Any] | None, epoch: int) -> None:
        """Take the weights of a moment.

        Args:
            weights: all tensors, one after the other; None for those that the run has kept.
            epoch: of the moment.

        Raises:
            StudioError: the weights are those of another network.
            RunError: the run has kept no weights of that epoch.
        """
        if weights is None:
            self._network.load_state_dict(self.run.network(epoch).state_dict())
            return
        state = self._network.state_dict()
        if len(weights) != sum(tensor.numel() for tensor in state.values()):
            raise StudioError(
                f"Cannot show epoch {epoch}: expected the weights of {self.run.config.shape}, got "
                f"{len(weights)} numbers."
            )
        flat = torch.tensor(weights, device="cpu")
        for tensor in state.values():
            part, flat = flat[: tensor.numel()], flat[tensor.numel() :]
            tensor.copy_(part.reshape(tensor.shape))

    def kept_epochs(self) -> list[int]:
        """Return the epochs of the frames and the newest one, ascending; none of them goes away."""
        return sorted({*self.run.frame_epochs(), *self.run.epochs()[-1:]})

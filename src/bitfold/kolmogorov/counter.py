"""How many steps a loss has taken: what its random draws depend on."""

import torch
from torch import Tensor, nn


class StepCounter(nn.Module):
    """Counts steps on the host, and is part of the state.

    Source: none, ours. A number on the device would have to be read back at every step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def get_extra_state(self) -> Tensor:
        """The count, as ``state_dict`` keeps it."""
        return torch.tensor(self.steps)

    def set_extra_state(self, state: Tensor) -> None:
        """Take up a count."""
        self.steps = int(state)

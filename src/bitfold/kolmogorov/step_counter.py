"""How many steps a loss has taken, and what is drawn in each of them."""

import torch
from torch import Tensor, nn

_WORD = 2**64


class StepCounter(nn.Module):
    """Counts steps on the host, and gives each a number to draw from; it is part of the state.

    A loss that is restored therefore goes on with the draws that it would have made.

    Source: none, ours; numbers are mixed by the finaliser of SplitMix64 (Steele, Lea & Flood 2014).
    A count on the device would have to be read back at every step.

    Args:
        seed: int64, what all draws depend on.

    Example:
        >>> counter = StepCounter(seed=3)
        >>> first = counter.draw("noise")
        >>> counter.steps += 1
        >>> counter.draw("noise") == first
        False
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed, self.steps = seed, 0

    def draw(self, what: str, rank: int = 0) -> int:
        """A seed for what is drawn in this step, 0 to 2^63 - 1.

        Args:
            what: is drawn; different things get different seeds.
            rank: of the process.
        """
        state = self.seed
        for number in (self.steps, rank, *what.encode()):
            state = _mixed(state ^ number)
        return state >> 1

    def get_extra_state(self) -> Tensor:
        """Seed and count, as ``state_dict`` keeps them: int64 (2,)."""
        return torch.tensor([self.seed, self.steps])

    def set_extra_state(self, state: Tensor) -> None:
        """Take up seed and count."""
        self.seed, self.steps = state.tolist()


def _mixed(number: int) -> int:
    number = (number + 0x9E3779B97F4A7C15) % _WORD
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) % _WORD
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) % _WORD
    return number ^ (number >> 31)

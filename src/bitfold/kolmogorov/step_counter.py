"""The number of steps that a loss has taken, and the seeds of each step's draws."""

import torch
from torch import Tensor, nn

_WORD = 2**64


class StepCounter(nn.Module):
    """Counts steps on the host, and gives each step seeds for its draws.

    The counter is part of the loss's state, so a restored loss continues with the same draws. A
    count on the device would have to be read back at every step.

    Source: the finaliser of SplitMix64 (Steele, Lea & Flood 2014) mixes the numbers.

    Args:
        seed: int64, of all draws.

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

    @classmethod
    def drawn(cls, generator: torch.Generator | None) -> "StepCounter":
        """A counter with a seed from a generator on the CPU; None: the global one."""
        return cls(int(torch.randint(2**62, (), generator=generator, device="cpu")))

    def draw(self, purpose: str, rank: int = 0) -> int:
        """The seed of one draw in this step, 0 to 2^63 - 1.

        Args:
            purpose: name of the draw; different names get different seeds.
            rank: of the process.
        """
        state = self.seed
        for number in (self.steps, rank, *purpose.encode()):
            state = _mixed(state ^ number)
        return state >> 1

    def get_extra_state(self) -> Tensor:
        """Seed and count for ``state_dict``: int64 (2,)."""
        return torch.tensor([self.seed, self.steps], device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Restore seed and count."""
        self.seed, self.steps = state.tolist()


def _mixed(number: int) -> int:
    number = (number + 0x9E3779B97F4A7C15) % _WORD
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) % _WORD
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) % _WORD
    return number ^ (number >> 31)

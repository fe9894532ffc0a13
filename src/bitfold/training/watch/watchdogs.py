"""Watchdogs: they end a run that has gone wrong or has nothing more to learn."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from array import array
from collections import deque
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

STAGNATION_EPOCHS = 30
# A picture's values span 1, and 8 bits resolve 1/255: a spread far below that is invisible.
CONSTANT_SPREAD = 1e-3
# Over the window, the loss must fall by more than this share of itself to count as progress.
STAGNATION_PROGRESS = 1e-3


@dataclass(frozen=True, eq=False)
class Observation:
    """The facts of an epoch that the watchdogs inspect.

    Args:
        epoch: number of the epoch, from 1.
        losses: name of a loss to its value.
        weights: all parameters of the network and the predictor, flat, on the CPU.
        output_spread: largest minus smallest output over the validation points.
    """

    epoch: int
    losses: dict[str, float]
    weights: Tensor
    output_spread: float


class Watchdog(ABC):
    """Inspects each epoch and may end the run; checkpoints hold its history.

    Attributes:
        name: its name in the setting ``no_watchdog``.
        exit_code: the program's exit code if it ends the run.
    """

    name: ClassVar[str]
    exit_code: ClassVar[int]

    @abstractmethod
    def inspect(self, seen: Observation) -> str | None:
        """Return the reason to end the run after this epoch, or None."""

    def history(self) -> Tensor:
        """Return its history as a flat tensor."""
        return torch.zeros(0, dtype=torch.float64, device="cpu")

    def restore(self, history: Tensor) -> None:  # noqa: B027 - most watchdogs keep no history
        """Load a tensor from `history`."""


class FiniteWatchdog(Watchdog):
    """Ends a run when a loss or a weight is not finite."""

    name = "finite"
    exit_code = 3

    def inspect(self, seen: Observation) -> str | None:
        """Name the first loss that is not finite, or say that a weight is not."""
        for term, value in seen.losses.items():
            if not math.isfinite(value):
                return f"{term} is {value} at epoch {seen.epoch}"
        if not np.isfinite(seen.weights.numpy()).all():
            return f"a weight is not finite at epoch {seen.epoch}"
        return None


class LoopWatchdog(Watchdog):
    """Ends a run whose parameters equal those of an earlier epoch, bit for bit.

    Parameters are compared by a 64-bit BLAKE2 digest. Among 10^6 epochs the probability of a
    collision is below 3e-8.
    """

    name = "loop"
    exit_code = 4

    def __init__(self) -> None:
        # 16 bytes per epoch: a set of Python's integers would take ten times as much.
        self._seen = array("q")  # digest, epoch, digest, epoch, ...

    def inspect(self, seen: Observation) -> str | None:
        """Name the earlier epoch with the same parameters."""
        data = seen.weights.numpy().tobytes()
        digest = hashlib.blake2b(data, digest_size=8).digest()
        number = int.from_bytes(digest, "little", signed=True)
        known = np.frombuffer(self._seen, dtype=np.int64).reshape(-1, 2)
        same = np.flatnonzero(known[:, 0] == number)
        earlier = int(known[same[0], 1]) if same.size else None
        del known  # an array cannot grow while NumPy views it
        if earlier is None:
            self._seen.extend((number, seen.epoch))
            return None
        return f"all parameters at epoch {seen.epoch} are those of epoch {earlier}: training loops"

    def history(self) -> Tensor:
        """Return digests and epochs, alternating."""
        return torch.tensor(self._seen, dtype=torch.int64, device="cpu")

    def restore(self, history: Tensor) -> None:
        """Load digests and epochs."""
        self._seen = array("q", history.tolist())


class StagnationWatchdog(Watchdog):
    """Ends a run whose output was constant and whose loss was flat for 30 epochs.

    Constant: in each of the last 30 epochs, the outputs at the validation points differ by less
    than 0.001. Flat: the lowest combined loss of the last 30 epochs is not lower than that of the
    30 epochs before, by more than a thousandth of the latter.
    """

    name = "stagnation"
    exit_code = 5

    def __init__(self) -> None:
        self._losses: deque[float] = deque(maxlen=2 * STAGNATION_EPOCHS)
        self._num_constant = 0

    def inspect(self, seen: Observation) -> str | None:
        """Say for how long output and loss have stood still."""
        self._losses.append(seen.losses["combined_loss"])
        constant = seen.output_spread < CONSTANT_SPREAD
        self._num_constant = self._num_constant + 1 if constant else 0
        full = len(self._losses) == 2 * STAGNATION_EPOCHS
        if not full or self._num_constant < STAGNATION_EPOCHS or self._is_falling():
            return None
        return (
            f"the output has been constant and the loss flat for {STAGNATION_EPOCHS} epochs, "
            f"up to epoch {seen.epoch}"
        )

    def _is_falling(self) -> bool:
        losses = list(self._losses)
        before, recent = min(losses[:STAGNATION_EPOCHS]), min(losses[STAGNATION_EPOCHS:])
        return recent < before - STAGNATION_PROGRESS * abs(before)

    def history(self) -> Tensor:
        """Return the count of constant epochs and the window of losses."""
        return torch.tensor(
            [float(self._num_constant), *self._losses], dtype=torch.float64, device="cpu"
        )

    def restore(self, history: Tensor) -> None:
        """Load a count and a window."""
        count, *losses = history.tolist()
        self._num_constant = int(count)
        self._losses = deque(losses, maxlen=2 * STAGNATION_EPOCHS)


def make_watchdogs(switched_off: tuple[str, ...]) -> list[Watchdog]:
    """Return a new watchdog of each kind that is not switched off."""
    every: list[Watchdog] = [FiniteWatchdog(), LoopWatchdog(), StagnationWatchdog()]
    return [watchdog for watchdog in every if watchdog.name not in switched_off]

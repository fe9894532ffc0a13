"""What the compiled epoch needs of K, whatever its kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from numpy.typing import NDArray

Floats = NDArray[Any]


class EpochSum(ABC):
    """K's sum over all weights: its arrays, the epoch's loop that adds it, and what that one calls.

    Attributes:
        arrays: as the loop takes them.
    """

    NUM_DOORS: ClassVar[int]
    """The number of loops that are called by address."""

    arrays: tuple[Any, ...]

    @abstractmethod
    def loop(self) -> Any:
        """Return the compiled loop of an epoch with this K."""

    @abstractmethod
    def doors(self, flat: Floats, own: Floats) -> list[Any]:
        """Return the addresses of what the loop calls; see `bitfold.runtime.loop_cache.addresses`.

        Args:
            flat: the network's parameters.
            own: the predictor's.
        """

    def computing(self, flat: Floats) -> Floats:
        """Return the weights that the network computes with: its parameters, or rounded ones."""
        return flat

    def refresh(self) -> None:  # noqa: B027 - most kinds have nothing to do
        """Take note of what a loaded state may have changed."""

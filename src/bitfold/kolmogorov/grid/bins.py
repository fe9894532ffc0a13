"""The uniform grid of values that a weight can take."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bitfold.errors import KolmogorovError

MAX_BINS = 65_536
# Between these, every difference and quotient of the grid stays finite in float32.
MAX_LIMIT = 1e30
MIN_WIDTH = 1e-30


@dataclass(frozen=True)
class Bins:
    """Equally spaced values; the first lies at the minimum and the last at the maximum.

    A weight belongs to the *nearest* value, not to the value below it.

    Args:
        num_bins: number of values, 2 to 65,536.
        minimum: the first value; rounded to float32, the precision in which a decoder gets it.
        maximum: the last value; likewise.

    Raises:
        KolmogorovError: if ``num_bins`` is out of bounds, if a limit is not finite or above 1e30
            in size, or if not minimum < maximum (with at least 1e-30 between two bins).

    Example:
        >>> bins = Bins(7, -3.0, 3.0)
        >>> bins.width
        1.0
        >>> bins.nearest(torch.tensor([-9.0, 0.4, 0.6]))
        tensor([0, 3, 4])
    """

    num_bins: int
    minimum: float
    maximum: float

    def __post_init__(self) -> None:
        if not 2 <= self.num_bins <= MAX_BINS:
            raise KolmogorovError(
                f"Cannot make bins: expected 2 to {MAX_BINS} bins, got {self.num_bins}. "
                "Choose another number of bins."
            )
        limits = (self.minimum, self.maximum)
        if not all(math.isfinite(limit) and abs(limit) <= MAX_LIMIT for limit in limits):
            raise KolmogorovError(
                f"Cannot make bins: expected finite limits of at most {MAX_LIMIT:g} in size, "
                f"got {limits}. Choose another weight range."
            )
        for name, limit in zip(("minimum", "maximum"), limits, strict=True):
            object.__setattr__(
                self, name, torch.tensor(limit, dtype=torch.float32, device="cpu").item()
            )
        if self.width < MIN_WIDTH:
            raise KolmogorovError(
                f"Cannot make bins: expected minimum < maximum in float32, got {limits}. "
                "Choose another weight range."
            )

    @property
    def width(self) -> float:
        """Distance between neighbouring values."""
        return (self.maximum - self.minimum) / (self.num_bins - 1)

    @property
    def origin(self) -> int:
        """Index of the bin nearest to 0; it need not be in the range."""
        return round(-self.minimum / self.width)

    def clamp(self, weights: Tensor) -> Tensor:
        """Move weights outside the range to the nearer limit; their gradient is 0.

        Args:
            weights: any shape, any floating dtype.

        Returns:
            Same shape and dtype.
        """
        return weights.clamp(self.minimum, self.maximum)

    def outside(self, weights: Tensor) -> Tensor:
        """Whether each weight lies outside the range; NaN does not.

        Args:
            weights: any shape, any floating dtype.

        Returns:
            bool, same shape.
        """
        return (weights < self.minimum) | (weights > self.maximum)

    def continuous_index(self, weights: Tensor) -> Tensor:
        """The position of each weight in bins from the first one: 0 to num_bins - 1.

        Args:
            weights: any shape, any floating dtype, within the range (see `clamp`).

        Returns:
            Same shape and dtype.
        """
        return (weights - self.minimum) / self.width

    def nearest(self, weights: Tensor) -> Tensor:
        """The bin nearest to each weight, the first or last for a weight out of range.

        Args:
            weights: any shape, any floating dtype. NaN gives some valid bin.

        Returns:
            int64, same shape, 0 to num_bins - 1.
        """
        index = self.continuous_index(self.clamp(weights)).round().long()
        return index.clamp(0, self.num_bins - 1)

    def centres(self, indices: Tensor, dtype: torch.dtype) -> Tensor:
        """The values of bins.

        Args:
            indices: integer, any shape, 0 to num_bins - 1.
            dtype: floating dtype of the answer.

        Returns:
            Same shape, dtype as asked.
        """
        return indices.to(dtype) * self.width + self.minimum

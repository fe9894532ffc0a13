"""Some weights of a module, and their positions."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.kolmogorov.weights.fixed_coordinates import fixed_coordinates
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.runtime.threads import array

# Up to this number of weights positions, of 20 bytes each, are computed once and kept.
_MOST_KEPT = 2**20
# From this number of weights on, looking up the block of each one takes longer than operations on
# some dozens of pieces.
_LONG = 2**16


class WeightSubset:
    """Some weights of a module: a stretch of the flat order, or weights chosen from a stretch.

    Args:
        layout: blocks of the module.
        start: first weight of the stretch.
        stop: end of the stretch.
        device: of the subset's tensors.
        chosen: int64 (n,), flat indices, ascending; None: the whole stretch.

    Example:
        >>> module = torch.nn.Linear(2, 3)
        >>> layout = Layout(module, list(module.named_parameters()))
        >>> subset = WeightSubset(layout, 5, 8, torch.device("cpu"))
        >>> subset.block_numbers.tolist(), subset.outputs.tolist(), subset.inputs.tolist()
        ([0, 1, 1], [2, 0, 1], [1, 0, 0])
    """

    def __init__(
        self,
        layout: Layout,
        start: int,
        stop: int,
        device: torch.device,
        *,
        chosen: Tensor | None = None,
    ) -> None:
        self.layout, self.start, self.stop = layout, start, stop
        self.device, self.chosen = device, chosen
        self._located: Tensor | None = None
        self._positions: Tensor | None = None
        self._coordinates: dict[tuple[int, ...], Tensor] = {}
        self._fixed: dict[tuple[int, ...], NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return self.stop - self.start if self.chosen is None else len(self.chosen)

    @property
    def is_long(self) -> bool:
        """Whether operations on pieces are faster than looking up the block of each weight."""
        return self.chosen is None and len(self) > _LONG

    @property
    def flat(self) -> Tensor:
        """Flat index of each weight: int64 (n,)."""
        if self.chosen is not None:
            return self.chosen
        return torch.arange(self.start, self.stop, device=self.device)

    @property
    def block_numbers(self) -> Tensor:
        """Number of each weight's block, its parameter: int64 (n,)."""
        return self._located_or_kept()[0]

    @property
    def outputs(self) -> Tensor:
        """Output of each weight, the row: int64 (n,)."""
        return self._located_or_kept()[1]

    @property
    def inputs(self) -> Tensor:
        """Input of each weight, the column: int64 (n,)."""
        return self._located_or_kept()[2]

    @property
    def offsets(self) -> Tensor:
        """Kernel offset of each weight: int64 (n,)."""
        return self._located_or_kept()[3]

    @property
    def positions(self) -> Tensor:
        """Normalised position of each weight: float32 (n, 5), see `Layout.positions`."""
        if self._positions is not None:
            return self._positions
        # Kept tensors must be usable in training, even if inference mode asks for them first.
        with torch.inference_mode(False):
            positions = self.layout.positions(self.flat)
        if len(self) <= _MOST_KEPT:
            self._positions = positions
        return positions

    def coordinates(self, numbers: tuple[int, ...]) -> Tensor:
        """Chosen columns of the positions, contiguous: float32 (n, columns)."""
        if numbers in self._coordinates:
            return self._coordinates[numbers]
        with torch.inference_mode(False):
            columns = torch.stack([self.positions[:, number] for number in numbers], 1)
        if len(self) <= _MOST_KEPT:
            self._coordinates[numbers] = columns
        return columns

    def fixed_coordinates(self, numbers: tuple[int, ...]) -> NDArray[np.int64]:
        """Chosen coordinates in fixed point, on the CPU: int64 (n, columns); see the function."""
        if numbers in self._fixed:
            return self._fixed[numbers]
        located = (self.block_numbers, self.outputs, self.inputs, self.offsets)
        chosen = [array(item.cpu()) for item in located]
        columns = fixed_coordinates(self.layout.blocks, chosen, numbers)
        if len(self) <= _MOST_KEPT:
            self._fixed[numbers] = columns
        return columns

    def take(self, vector: Tensor) -> Tensor:
        """Take the numbers of these weights from a vector of all weights: (N,) to (n,)."""
        return vector[self.start : self.stop] if self.chosen is None else vector[self.chosen]

    def pieces(self) -> Iterator[tuple[int, slice, slice]]:
        """Cut a stretch at the borders of blocks.

        Yields:
            Number of the block, the piece's slice of the block, and its slice of these weights.
        """
        assert self.chosen is None
        at = 0
        for number, first, end in self.layout.pieces(self.start, self.stop):
            yield number, slice(first, end), slice(at, at + end - first)
            at += end - first

    def split(self, size: int) -> Iterator[tuple[slice, "WeightSubset"]]:
        """Cut the subset into parts of at most ``size`` weights.

        Yields:
            The part's slice of these weights, and the part; the subset itself if it is not longer.
        """
        if len(self) <= size:
            yield slice(0, len(self)), self
            return
        for first in range(0, len(self), size):
            part = slice(first, min(first + size, len(self)))
            start, stop, chosen = self.start + part.start, self.start + part.stop, None
            if self.chosen is not None:
                start, stop, chosen = self.start, self.stop, self.chosen[part]
            yield part, WeightSubset(self.layout, start, stop, self.device, chosen=chosen)

    def _located_or_kept(self) -> Tensor:
        if self._located is not None:
            return self._located
        with torch.inference_mode(False):
            located = self.layout.locate(self.flat)
        if len(self) <= _MOST_KEPT:
            self._located = located
        return located

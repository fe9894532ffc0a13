"""Where each weight of a module stands: layer, output, input, kernel offset and kind."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from bitfold.runtime.accumulation_dtype import accumulation_dtype

# Layer, output, input, kernel offset, kind.
NUM_COORDINATES = 5
WEIGHT, SCALE, BIAS = 0.0, 0.5, 1.0
"""The kinds: of two or more dimensions, of at most one such as a norm's gain, and a bias."""


class Block(NamedTuple):
    """One parameter as a box of weights: outputs by inputs by kernel offsets.

    Attributes:
        layer: number of the layer that it belongs to.
        kind: `WEIGHT`, `SCALE` or `BIAS`.
        num_outputs: rows.
        num_inputs: columns.
        num_offsets: places within a kernel.
        is_transposed: whether inputs, not outputs, are the first dimension in memory.
    """

    layer: int
    kind: float
    num_outputs: int
    num_inputs: int
    num_offsets: int
    is_transposed: bool = False

    @property
    def size(self) -> int:
        """How many weights it holds."""
        return self.num_outputs * self.num_inputs * self.num_offsets


def make_blocks(parameters: Sequence[tuple[str, Sequence[int], bool]]) -> tuple[Block, ...]:
    """The boxes of parameters, by what a decoder knows of them.

    Args:
        parameters: name, shape, and whether inputs are the first dimension, in the module's order.

    Example:
        >>> blocks = make_blocks([("a.weight", (3, 2), False), ("a.bias", (3,), False)])
        >>> [(block.layer, block.num_inputs) for block in blocks]
        [(0, 2), (0, 1)]
    """
    blocks = []
    places = _places([name for name, _, _ in parameters])
    for (_, shape, is_transposed), (layer, is_bias) in zip(parameters, places, strict=True):
        kind = BIAS if is_bias else WEIGHT if len(shape) > 1 else SCALE
        first, second, *_ = (*shape, 1, 1)
        sides = (second, first) if is_transposed else (first, second)
        blocks.append(Block(layer, kind, *sides, math.prod(shape[2:]), is_transposed))
    return tuple(blocks)


def varying_coordinates(blocks: Sequence[Block]) -> tuple[int, ...]:
    """Which of the five coordinates differ between weights; the layer, if none does."""
    differ = (
        len({block.layer for block in blocks}) > 1,
        any(block.num_outputs > 1 for block in blocks),
        any(block.num_inputs > 1 for block in blocks),
        any(block.num_offsets > 1 for block in blocks),
        len({block.kind for block in blocks}) > 1,
    )
    return tuple(number for number, differs in enumerate(differ) if differs) or (0,)


class Layout:
    """The boxes of a module's described parameters, one behind the other in a flat order.

    Source: none, ours. A layer is one weight tensor with its bias, in the module's order; where a
    module has several of either, its k-th weight goes with its k-th bias. No two boxes share both
    layer and kind, and no two weights of a box share output, input and offset.

    Args:
        module: the module.
        parameters: name and parameter, in order.

    Example:
        >>> module = nn.Linear(2, 3)
        >>> layout = Layout(module, list(module.named_parameters()))
        >>> [block.size for block in layout.blocks]
        [6, 3]
    """

    def __init__(self, module: nn.Module, parameters: Sequence[tuple[str, nn.Parameter]]) -> None:
        self.blocks = make_blocks(
            [(name, item.shape, _is_transposed(module, name, item)) for name, item in parameters]
        )
        self.starts = [0]
        for block in self.blocks:
            self.starts.append(self.starts[-1] + block.size)
        self.num_weights = self.starts[-1]
        self._tables: dict[torch.device, tuple[Tensor, Tensor]] = {}

    @property
    def num_rows(self) -> int:
        """Rows of all boxes together."""
        return sum(block.num_outputs for block in self.blocks)

    @property
    def num_columns(self) -> int:
        """Columns of all boxes together."""
        return sum(block.num_inputs for block in self.blocks)

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Parts of single boxes that make up a stretch of the flat order.

        Yields:
            Number of the box, first weight and end within the box, none of them empty.
        """
        for number, block in enumerate(self.blocks):
            first = max(start - self.starts[number], 0)
            end = min(stop - self.starts[number], block.size)
            if first < end:
                yield number, first, end

    def locate(self, flat: Tensor) -> Tensor:
        """Box, output, input and kernel offset of weights given by their flat index.

        Args:
            flat: int64 (n,), 0 to num_weights - 1.

        Returns:
            int64 (4, n).
        """
        starts, outer, outer_mod, inner, inner_mod, offsets = self._table(flat.device)[0]
        boxes = torch.searchsorted(starts, flat, right=True) - 1
        local = flat - starts[boxes]
        output = local // outer[boxes] % outer_mod[boxes]
        inputs = local // inner[boxes] % inner_mod[boxes]
        return torch.stack([boxes, output, inputs, local % offsets[boxes]])

    def positions(self, flat: Tensor) -> Tensor:
        """Normalised positions: layer, output, input, kernel offset and kind, each 0 to 1.

        Args:
            flat: int64 (n,), 0 to num_weights - 1.

        Returns:
            float32 (n, 5); no two weights have the same.
        """
        boxes, *places = self.locate(flat)
        table, (layers, kinds) = self._table(flat.device)
        # dtype is given since the usual one may be another.
        positions = torch.empty(len(flat), NUM_COORDINATES, device=flat.device, dtype=torch.float32)
        positions[:, 0], positions[:, 4] = layers[boxes], kinds[boxes]
        # Divided in float64, so that the only rounding is the last one.
        for column, (row, place) in enumerate(zip((2, 4, 5), places, strict=True), start=1):
            last = (table[row][boxes] - 1).clamp(min=1)
            positions[:, column] = place.to(layers.dtype) / last
        return positions

    def first_rows(self) -> list[int]:
        """Number of each box's first row, all boxes' rows counted through."""
        return _sums(block.num_outputs for block in self.blocks)

    def first_columns(self) -> list[int]:
        """Number of each box's first column, all boxes' columns counted through."""
        return _sums(block.num_inputs for block in self.blocks)

    def _table(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Start, divisor and size of outputs and of inputs, offsets; and layers and kinds.

        Returns:
            int64 (6, boxes), and floating (2, boxes).
        """
        if device not in self._tables:
            last_layer = max(block.layer for block in self.blocks)
            exact = accumulation_dtype(device)
            names = [(block.layer / max(last_layer, 1), block.kind) for block in self.blocks]
            self._tables[device] = (
                torch.tensor(list(self._divisors()), device=device).t().contiguous(),
                torch.tensor(names, dtype=exact, device=device).t().contiguous(),
            )
        return self._tables[device]

    def _divisors(self) -> Iterator[list[int]]:
        for start, block in zip(self.starts, self.blocks, strict=False):
            outputs, inputs, offsets = block.num_outputs, block.num_inputs, block.num_offsets
            by_output, by_input = inputs * offsets, offsets
            if block.is_transposed:
                by_output, by_input = offsets, outputs * offsets
            yield [start, by_output, outputs, by_input, inputs, offsets]


def _sums(sizes: Iterator[int]) -> list[int]:
    sums = [0]
    for size in sizes:
        sums.append(sums[-1] + size)
    return sums


def _places(names: Sequence[str]) -> Iterator[tuple[int, bool]]:
    """Layer and is-bias of each parameter; no two parameters have the same pair."""
    first, owner, taken = 0, "", [0, 0]
    for name in names:
        own, _, leaf = name.rpartition(".")
        if own != owner:
            first, owner, taken = first + max(taken), own, [0, 0]
        is_bias = "bias" in leaf
        yield first + taken[is_bias], is_bias
        taken[is_bias] += 1


def _is_transposed(module: nn.Module, name: str, item: Tensor) -> bool:
    owner = module.get_submodule(name.rpartition(".")[0])
    return isinstance(owner, _ConvTransposeNd) and item.ndim > 2

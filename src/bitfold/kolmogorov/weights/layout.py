"""The positions of a module's weights: layer, output, input, kernel offset and kind."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bitfold.kolmogorov.weights.box import Box, box_of, transposed_tensors
from bitfold.kolmogorov.weights.shards import Shards, Whole
from bitfold.runtime.accumulation_dtype import accumulation_dtype

# Layer, output, input, kernel offset, kind.
NUM_COORDINATES = 5
WEIGHT, SCALE, BIAS = 0.0, 0.5, 1.0
"""The kinds: two or more dimensions, one dimension such as a norm's gain, and a bias."""


class Block(NamedTuple):
    """One parameter as a block of weights.

    Attributes:
        layer: number of the parameter's layer.
        kind: `WEIGHT`, `SCALE` or `BIAS`.
        box: outputs by inputs by kernel offsets.
    """

    layer: int
    kind: float
    box: Box


def make_blocks(parameters: Sequence[tuple[str, Sequence[int], bool]]) -> tuple[Block, ...]:
    """Make the blocks of parameters from what a decoder knows of them.

    Args:
        parameters: name, shape, and whether inputs are the first dimension, in the module's order.

    Example:
        >>> blocks = make_blocks([("a.weight", (3, 2), False), ("a.bias", (3,), False)])
        >>> [(block.layer, block.box.num_inputs) for block in blocks]
        [(0, 2), (0, 1)]
    """
    blocks = []
    layers = _layers([name for name, _, _ in parameters])
    for (_, shape, is_turned), (layer, is_bias) in zip(parameters, layers, strict=True):
        kind = BIAS if is_bias else WEIGHT if len(shape) > 1 else SCALE
        blocks.append(Block(layer, kind, box_of(shape, is_transposed=is_turned)))
    return tuple(blocks)


def varying_coordinates(blocks: Sequence[Block]) -> tuple[int, ...]:
    """Numbers of the coordinates that differ between weights; 0, the layer, if none does."""
    differ = (
        len({block.layer for block in blocks}) > 1,
        any(block.box.num_outputs > 1 for block in blocks),
        any(block.box.num_inputs > 1 for block in blocks),
        any(block.box.num_offsets > 1 for block in blocks),
        len({block.kind for block in blocks}) > 1,
    )
    return tuple(number for number, differs in enumerate(differ) if differs) or (0,)


class Layout:
    """The blocks of a module's described parameters, one after the other in flat order.

    A layer is one weight tensor with its bias, in the module's order. If a submodule has several
    weights or biases, its k-th weight goes with its k-th bias. No two blocks share both layer and
    kind, and no two weights of a block share output, input and offset.

    Blocks are whole tensors. Where their weights are divided among processes, the flat order goes
    through the parts that this process holds; rows and columns keep their numbers.

    Args:
        module: the module.
        parameters: name and parameter, in order.
        shards: how the weights are divided; None: all lie here.

    Attributes:
        blocks: one for each parameter.
        held: the part of each block that lies here.
        starts: the first weight of each part in the flat order, and the end.
        num_weights: that lie here.
        shards: how the weights are divided.

    Example:
        >>> module = nn.Linear(2, 3)
        >>> layout = Layout(module, list(module.named_parameters()))
        >>> [block.box.size for block in layout.blocks]
        [6, 3]
    """

    def __init__(
        self,
        module: nn.Module,
        parameters: Sequence[tuple[str, nn.Parameter]],
        shards: Shards | None = None,
    ) -> None:
        turned = transposed_tensors(module)
        self.shards = shards or Whole()
        self.blocks = make_blocks(
            [(name, item.shape, id(item) in turned) for name, item in parameters]
        )
        self.held = tuple(self.shards.held(block.box) for block in self.blocks)
        self.starts = [0]
        for part in self.held:
            self.starts.append(self.starts[-1] + part.box.size)
        self.num_weights = self.starts[-1]
        self._tables: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Cut a stretch of the flat order at the borders of blocks.

        Yields:
            Number of the block, first weight and end within the block; no piece is empty.
        """
        for number, part in enumerate(self.held):
            first = max(start - self.starts[number], 0)
            end = min(stop - self.starts[number], part.box.size)
            if first < end:
                yield number, first, end

    def locate(self, flat: Tensor) -> Tensor:
        """Block number, output, input and kernel offset of weights, from their flat indices.

        Args:
            flat: int64 (n,), 0 to num_weights - 1.

        Returns:
            int64 (4, n).
        """
        starts, outer, outer_mod, inner, inner_mod, offsets, *firsts = self._table(flat.device)[0]
        blocks = torch.searchsorted(starts, flat, right=True) - 1
        local = flat - starts[blocks]
        outputs = local // outer[blocks] % outer_mod[blocks]
        inputs = local // inner[blocks] % inner_mod[blocks]
        if firsts:
            outputs, inputs = outputs + firsts[0][blocks], inputs + firsts[1][blocks]
        return torch.stack([blocks, outputs, inputs, local % offsets[blocks]])

    def positions(self, flat: Tensor) -> Tensor:
        """Normalised positions: layer, output, input, kernel offset and kind, each 0 to 1.

        Args:
            flat: int64 (n,), 0 to num_weights - 1.

        Returns:
            float32 (n, 5); no two weights have the same position.
        """
        blocks, *indices = self.locate(flat)
        _, (layers, kinds, *lasts) = self._table(flat.device)
        # The default dtype may be another one.
        positions = torch.empty(len(flat), NUM_COORDINATES, device=flat.device, dtype=torch.float32)
        positions[:, 0], positions[:, 4] = layers[blocks], kinds[blocks]
        # Divided in float64, so that only the last step rounds.
        for column, (last, index) in enumerate(zip(lasts, indices, strict=True), start=1):
            positions[:, column] = index.to(layers.dtype) / last[blocks]
        return positions

    def first_rows(self) -> list[int]:
        """Number of each block's first row among the rows of all blocks."""
        return _sums(block.box.num_outputs for block in self.blocks)

    def first_columns(self) -> list[int]:
        """Number of each block's first column among the columns of all blocks."""
        return _sums(block.box.num_inputs for block in self.blocks)

    def _table(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The numbers by which flat indices are located.

        Returns:
            Start, divisor and size of outputs, divisor and size of inputs, and offsets, int64
            (6, blocks), with the first output and the first input of each part (8, blocks) where
            weights are divided; normalised layers, kinds, and the last output, input and offset,
            at least 1, floating (5, blocks).
        """
        if device not in self._tables:
            last_layer = max(block.layer for block in self.blocks)
            dtype = accumulation_dtype(device)
            names = [
                (
                    block.layer / max(last_layer, 1),
                    block.kind,
                    *(max(side - 1, 1) for side in block.box[:3]),
                )
                for block in self.blocks
            ]
            self._tables[device] = (
                torch.tensor(list(self._divisors()), device=device).t().contiguous(),
                torch.tensor(names, dtype=dtype, device=device).t().contiguous(),
            )
        return self._tables[device]

    def _divisors(self) -> Iterator[list[int]]:
        is_divided = any(part.box != part.whole for part in self.held)
        for start, part in zip(self.starts, self.held, strict=False):
            outputs, inputs, offsets, is_turned = part.box
            by_output, by_input = inputs * offsets, offsets
            if is_turned:
                by_output, by_input = offsets, outputs * offsets
            firsts = [part.lines(axis).start for axis in (0, 1)] if is_divided else []
            # A part without lines has no weight to locate, but nothing may be divided by 0.
            sizes = [max(1, size) for size in (outputs, by_input, inputs, offsets)]
            yield [start, max(1, by_output), *sizes, *firsts]


def _sums(sizes: Iterator[int]) -> list[int]:
    sums = [0]
    for size in sizes:
        sums.append(sums[-1] + size)
    return sums


def _layers(names: Sequence[str]) -> Iterator[tuple[int, bool]]:
    """The layer of each parameter, and whether it is a bias; no two parameters share both."""
    first, owner, taken = 0, "", [0, 0]
    for name in names:
        own, _, leaf = name.rpartition(".")
        if own != owner:
            first, owner, taken = first + max(taken), own, [0, 0]
        is_bias = "bias" in leaf
        yield first + taken[is_bias], is_bias
        taken[is_bias] += 1

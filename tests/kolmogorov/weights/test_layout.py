"""Tests of the positions of weights, against a loop over every index of every tensor."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bitfold.kolmogorov import Layout, ParameterTable, WeightSubset


def naive_places(module: nn.Module) -> list[tuple[int, int, int, int]]:
    """Return block, output, input and offset of each weight in flat order, by counting indices."""
    subset = []
    for box, (name, item) in enumerate(module.named_parameters()):
        owner = module.get_submodule(name.rpartition(".")[0])
        is_transposed = (
            isinstance(owner, nn.ConvTranspose1d | nn.ConvTranspose2d) and item.dim() > 2
        )
        for index in itertools.product(*map(range, item.shape)):
            first, second, *rest = [*index, 0, 0]
            output, inputs = (second, first) if is_transposed else (first, second)
            kernel, shape = rest[: max(item.dim() - 2, 0)], item.shape[2:]
            offset = 0
            for at, side in zip(kernel, shape, strict=True):
                offset = offset * side + at
            subset.append((box, output, inputs, offset))
    return subset


MODULES = {
    "linear": nn.Linear(3, 4),
    "convolutions": nn.Sequential(
        nn.Conv2d(2, 3, (2, 3)), nn.ConvTranspose2d(2, 3, (2, 3)), nn.ConvTranspose1d(4, 2, 3)
    ),
    "attention": nn.MultiheadAttention(4, 2, add_bias_kv=True),
    "lstm": nn.LSTM(2, 3, bidirectional=True),
    "norms": nn.Sequential(nn.LayerNorm((2, 3, 4)), nn.BatchNorm1d(5), nn.PReLU()),
    "scalars": nn.ParameterList([torch.ones(()), torch.ones(1), torch.ones(1, 1, 1)]),
}


@pytest.mark.parametrize("name", list(MODULES))
def test_places_are_those_of_a_loop(name: Any) -> None:
    """Blocks, outputs, inputs and offsets agree with the count, for stretches and for chosen
    weights.
    """
    module = MODULES[name]
    layout = Layout(module, list(module.named_parameters()))
    expected = torch.tensor(naive_places(module)).t()
    assert torch.equal(layout.locate(torch.arange(layout.num_weights)), expected)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randint(layout.num_weights, (7,), generator=generator).sort().values
    subset = WeightSubset(layout, 0, layout.num_weights, torch.device("cpu"), chosen=chosen)
    assert torch.equal(subset.block_numbers, expected[0, chosen])
    assert torch.equal(subset.outputs, expected[1, chosen])
    assert torch.equal(subset.inputs, expected[2, chosen])


@pytest.mark.parametrize("name", list(MODULES))
def test_positions_are_places_over_their_largest(name: Any) -> None:
    """Each coordinate is the index over the last index, rounded to float32."""
    table = ParameterTable(MODULES[name])
    positions, subset = table.positions(), naive_places(MODULES[name])
    for row, (box, *indices) in enumerate(subset):
        block = table.layout.blocks[box]
        sides = block.box[:3]
        expected = [at / max(side - 1, 1) for at, side in zip(indices, sides, strict=True)]
        assert torch.equal(positions[row, 1:4], torch.tensor(expected))
        assert positions[row, 4] == block.kind


@given(
    size=st.integers(1, 30),
    bounds=st.tuples(st.integers(0, 44), st.integers(0, 44)).map(sorted),
)
def test_cutting_a_stretch_loses_nothing(size: Any, bounds: Any) -> None:
    """Parts of a stretch and of chosen weights follow each other and have the same positions."""
    module = MODULES["attention"]
    layout = Layout(module, list(module.named_parameters()))
    start, stop = bounds
    stretch = WeightSubset(layout, start, stop, torch.device("cpu"))
    chosen = WeightSubset(layout, 0, stop, torch.device("cpu"), chosen=stretch.flat)
    for subset in (stretch, chosen):
        parts = list(subset.split(size))
        assert all(len(part) <= size for _, part in parts)
        assert torch.equal(torch.cat([part.flat for _, part in parts]), stretch.flat)
        assert torch.equal(torch.cat([part.positions for _, part in parts]), stretch.positions)
        for where, part in parts:
            assert torch.equal(subset.flat[where], part.flat)
            vector = torch.arange(layout.num_weights)
            assert torch.equal(part.take(vector), part.flat)


@given(bounds=st.tuples(st.integers(0, 44), st.integers(0, 44)).map(sorted))
def test_pieces_lie_in_single_boxes(bounds: Any) -> None:
    """The pieces of a stretch are cut at borders of blocks, and none is empty."""
    module = MODULES["attention"]
    layout = Layout(module, list(module.named_parameters()))
    start, stop = bounds
    subset = WeightSubset(layout, start, stop, torch.device("cpu"))
    found = []
    for box, in_box, in_places in subset.pieces():
        flat = subset.flat[in_places]
        assert len(flat) > 0
        assert torch.equal(flat - layout.starts[box], torch.arange(in_box.start, in_box.stop))
        assert (subset.block_numbers[in_places] == box).all()
        found.append(flat)
    assert torch.equal(torch.cat([torch.arange(0), *found]), subset.flat)


def test_layers_and_kinds_name_a_box() -> None:
    """No two blocks share layer and kind; gains, weights and biases are of different kinds."""
    module = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.MultiheadAttention(4, 2))
    blocks = ParameterTable(module).layout.blocks
    assert len({(block.layer, block.kind) for block in blocks}) == len(blocks)
    assert [block.kind for block in blocks] == [0.0, 1.0, 0.5, 1.0, 0.0, 1.0, 0.0, 1.0]
    assert [block.layer for block in blocks] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_what_is_kept_is_worked_out_once() -> None:
    """Positions and coordinates of a subset are computed once."""
    subset = ParameterTable(nn.Linear(3, 3)).all_weights()
    assert subset.positions is subset.positions
    assert subset.coordinates((1, 2)) is subset.coordinates((1, 2))
    assert subset.block_numbers.data_ptr() == subset.block_numbers.data_ptr()

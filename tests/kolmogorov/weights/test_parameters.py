"""Tests of the table of parameters and of their positions."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import ParameterTable

shapes = st.lists(st.integers(1, 6), min_size=0, max_size=4)
names = st.sampled_from(["weight", "bias", "scale", "bias_ih", "a", "b"])


def num_distinct(positions: torch.Tensor) -> int:
    """Return the number of different positions."""
    return len(torch.unique(positions, dim=0))


@given(layers=st.lists(st.dictionaries(names, shapes, min_size=1, max_size=4), max_size=4))
def test_positions_never_collide(layers: Any) -> None:
    """In any module no two weights share a position, and all coordinates lie in 0 to 1."""
    module = nn.Module()
    module.register_parameter("own", nn.Parameter(torch.zeros(2)))
    for number, layer in enumerate(layers):
        child = nn.Module()
        for name, shape in layer.items():
            child.register_parameter(name, nn.Parameter(torch.zeros(shape)))
        module.add_module(f"layer{number}", child)
    table = ParameterTable(module)
    positions = table.positions()
    assert positions.shape == (table.num_weights, 5)
    assert positions.dtype == torch.float32
    assert num_distinct(positions) == table.num_weights
    assert positions.min() >= 0
    assert positions.max() <= 1


@pytest.mark.parametrize(
    "module",
    [
        nn.LSTM(3, 4, num_layers=2, bidirectional=True),
        nn.MultiheadAttention(8, 2),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ConvTranspose1d(2, 3, 5)),
        nn.Embedding(70_000, 2),
        nn.Linear(1, 1),
        nn.Linear(300_001, 1),
    ],
    ids=["lstm", "attention", "convolutions", "embedding", "scalar", "wide"],
)
def test_positions_never_collide_in_usual_layers(module: Any) -> None:
    """Recurrent, attention, convolutional and very long layers give each weight its own
    position.
    """
    table = ParameterTable(module)
    assert num_distinct(table.positions()) == table.num_weights


def test_bias_is_told_from_the_last_weight_of_its_row() -> None:
    """A bias shares layer and row with its weights, but not the kind."""
    positions = ParameterTable(nn.Linear(2, 2)).positions().tolist()
    assert positions[2:4] == [[0, 1, 0, 0, 0], [0, 1, 1, 0, 0]]
    assert positions[5] == [0, 1, 0, 0, 1]


def test_layers_are_evenly_spaced() -> None:
    """Layers are numbered from 0 to 1 in the module's order, without activations."""
    module = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1), nn.Linear(1, 1))
    layers = ParameterTable(module).positions()[:, 0]
    unique = layers.unique()  # type: ignore[no-untyped-call] # torch leaves it untyped
    assert unique.tolist() == [0.0, 0.5, 1.0]


def test_tied_parameters_count_once() -> None:
    """A tied parameter is described once."""
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    assert ParameterTable(nn.Sequential(first, second)).num_weights == 9 + 3 + 3


def test_frozen_parameters_are_left_out_and_named() -> None:
    """Frozen parameters are not described, and are listed by name."""
    module = nn.Linear(2, 3)
    module.bias.requires_grad_(False)
    table = ParameterTable(module)
    assert (table.num_weights, table.frozen) == (6, ("bias",))


def test_split_undoes_flatten() -> None:
    """Cutting the flat vector gives each parameter back under its name."""
    module = nn.Sequential(nn.Conv1d(2, 3, 4), nn.Linear(2, 2))
    table = ParameterTable(module)
    for name, piece in table.split(table.flatten()).items():
        assert torch.equal(piece, module.get_parameter(name))


def broken_modules() -> dict[str, nn.Module]:
    """Return modules that cannot be described, by a word of the error."""
    empty, nan, infinite, frozen = (nn.Linear(2, 2) for _ in range(4))
    empty.extra = nn.Parameter(torch.zeros(0, 3))
    nan.weight.data[0, 0] = math.nan
    infinite.bias.data[1] = math.inf
    frozen.requires_grad_(False)
    complex_one = nn.Linear(2, 2, dtype=torch.complex64)
    return {
        "zero elements": empty,
        "'weight'.*NaN": nan,
        "'bias'.*infinite": infinite,
        "at least one trainable parameter": frozen,
        "got none": nn.ReLU(),
        "complex": complex_one,
        "forward pass": nn.LazyLinear(3),
    }


@pytest.mark.parametrize("word", list(broken_modules()))
def test_modules_that_cannot_be_described_are_refused(word: Any) -> None:
    """Modules without trainable parameters, and empty, NaN, infinite, complex or lazy parameters
    get an error of one line.
    """
    with pytest.raises(KolmogorovError, match=rf"^Cannot describe .*{word}"):
        ParameterTable(broken_modules()[word])


CHANGES: dict[str, Callable[[Any], object]] = {
    "replaced parameter": lambda module: setattr(
        module[0], "weight", nn.Parameter(torch.zeros(3, 2))
    ),
    "replaced layer": lambda module: module.__setitem__(0, nn.Linear(2, 3)),
    "resized": lambda module: setattr(module[0].weight, "data", torch.zeros(4, 2)),
    "added parameter": lambda module: module[1].register_parameter(
        "extra", nn.Parameter(torch.zeros(2))
    ),
    "added layer": lambda module: module.append(nn.Linear(1, 1)),
    "removed layer": lambda module: module.__delitem__(1),
    "removed bias": lambda module: setattr(module[1], "bias", None),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_changed_modules_are_refused(change: Any) -> None:
    """Parameters that are replaced, resized, added or removed after wrapping are noticed."""
    module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    table = ParameterTable(module)
    table.check()
    CHANGES[change](module)
    with pytest.raises(KolmogorovError, match="Make a new KolmogorovLoss"):
        table.check()


def test_training_steps_and_copies_are_no_change() -> None:
    """Values and dtypes may change, and module and table may be copied together."""
    module = nn.Linear(2, 3)
    table = ParameterTable(module)
    module.load_state_dict(nn.Linear(2, 3).state_dict())
    module.double()
    table.check()
    copied_module, copied_table = copy.deepcopy((module, table))
    copied_table.check()
    assert copied_table.parameters[0] is copied_module.weight


def test_weights_are_read_where_they_lie_in_their_order() -> None:
    """Values are current after changes in place, moves to other memory, and transposition
    in place.
    """
    module = nn.Linear(3, 3)
    table = ParameterTable(module)
    changes: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
        lambda data: data.add_(1),
        lambda data: data.clone(),
        lambda data: data.t(),
        lambda data: data.double(),
        lambda data: data.float(),
    )
    for change in changes:
        assert torch.equal(table.values(), table.flatten().detach())
        module.weight.data = change(module.weight.data)
    assert torch.equal(table.values(), table.flatten().detach())

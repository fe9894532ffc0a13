"""Tests of selecting the described parameters: by pattern, list or function."""

from typing import Any

import pytest
import torch
from torch import nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.weights.selection import select


def model() -> nn.Module:
    """Return an encoder with a frozen layer, a norm, and a decoder tied to the embedding."""
    module = nn.Module()
    module.embedding = nn.Embedding(5, 4)
    module.encoder = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4))
    module.encoder[2].requires_grad_(False)
    module.decoder = nn.Linear(4, 5, bias=False)
    module.decoder.weight = module.embedding.weight
    return module


TRAINABLE = ["encoder.0.weight", "encoder.0.bias", "encoder.1.weight", "encoder.1.bias"]
FROZEN = ("encoder.2.weight", "encoder.2.bias")


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, ["embedding.weight", *TRAINABLE]),
        ({"include": "embedding.*"}, ["embedding.weight"]),
        ({"include": "encoder.*", "exclude": "*.bias"}, ["encoder.0.weight", "encoder.1.weight"]),
        (
            {"include": ["*.1.*", "encoder.0.bias"]},
            ["encoder.0.bias", "encoder.1.weight", "encoder.1.bias"],
        ),
        ({"include": (name for name in ["*.1.weight"])}, ["encoder.1.weight"]),
        ({"include": lambda name, item: item.dim() == 2 and "0" in name}, ["encoder.0.weight"]),
        ({"exclude": lambda name, item: item.dim() < 2}, ["embedding.weight", "encoder.0.weight"]),
        ({"exclude": ["encoder.*"]}, ["embedding.weight"]),
        ({"include": "encoder.?.bias"}, ["encoder.0.bias", "encoder.1.bias"]),
        ({"include": "decoder.weight"}, ["embedding.weight"]),
        ({"include": "encoder.*", "exclude": "encoder.2.*"}, TRAINABLE),
    ],
)
def test_patterns_lists_and_functions_choose(settings: Any, kept: Any) -> None:
    """Selected parameters are described in the module's order; the others are listed as frozen or
    excluded.
    """
    module = model()
    found = select(module, **settings)
    assert list(found.kept) == kept
    assert all(found.kept[name] is module.get_parameter(name) for name in kept)
    assert found.frozen == FROZEN
    every = [name for name, _ in module.named_parameters()]
    assert sorted([*kept, *FROZEN, *found.excluded]) == sorted(every)


def test_any_name_of_a_tied_parameter_leaves_it_out() -> None:
    """Excluding the decoder also excludes the embedding that shares its weight."""
    assert "embedding.weight" in select(model(), exclude="decoder.*").excluded


def test_functions_see_every_name_of_a_tied_parameter() -> None:
    """A function is called with each name of a parameter."""
    asked = []

    def ask(name: str, item: nn.Parameter) -> bool:
        asked.append((name, item))
        return True

    module = model()
    select(module, include=ask)
    weight = module.get_parameter("embedding.weight")
    names = [name for name, item in asked if item is weight]
    assert names == ["embedding.weight", "decoder.weight"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"include": "encode.*"},
            r"include='encode.\*': expected it to fit one of .* 8 parameters",
        ),
        ({"exclude": ["*.bias", "head"]}, "exclude='head': .* named such as 'embedding.weight'"),
        ({"include": 3}, "Cannot use include: expected a name pattern, .* got int"),
        ({"exclude": ["*.bias", 3]}, "Cannot use exclude: .* got a list of other things"),
        ({"include": ["encoder.0.*", FROZEN[0]]}, "a trainable parameter, got 1 frozen. Set req"),
        ({"exclude": "*"}, "got none. Include one of the 5 that are left out on request"),
        ({"include": []}, "got none. Include one of the 5 that are left out on request"),
        ({"include": lambda name, item: False}, "got none. Include one of the 5"),
    ],
)
def test_patterns_that_choose_nothing_are_refused(settings: Any, message: str) -> None:
    """A pattern that matches nothing, or leaves nothing, gets an error of one line that
    shows it.
    """
    with pytest.raises(KolmogorovError, match=message) as caught:
        KolmogorovLoss(model(), **settings)
    assert "\n" not in str(caught.value)


def test_modules_without_trainable_parameters_are_refused() -> None:
    """The errors for frozen parameters and for no parameters differ."""
    frozen = nn.Linear(2, 2).requires_grad_(False)
    with pytest.raises(KolmogorovError, match="Set requires_grad of one of its 2 frozen ones"):
        select(frozen)
    with pytest.raises(KolmogorovError, match="Pass a module that has parameters"):
        select(nn.ReLU())


def test_only_what_is_chosen_gets_a_gradient() -> None:
    """K has a gradient by described parameters only."""
    module = model()
    loss = KolmogorovLoss(module, include="encoder.*", exclude="*.bias")
    loss().backward()
    with_gradient = [name for name, item in module.named_parameters() if item.grad is not None]
    assert with_gradient == ["encoder.0.weight", "encoder.1.weight"]


@pytest.mark.parametrize(("rest_bits", "narrow"), [(0, 0), (16, 16), (32, 32)])
def test_what_is_left_out_is_counted_and_decoded(rest_bits: int, narrow: int) -> None:
    """Frozen and excluded parameters and buffers take ``rest_bits`` a number, whole numbers 32; all
    are decoded.
    """
    module = model()
    module.norm = nn.BatchNorm1d(3)
    module.register_buffer("phases", torch.polar(torch.ones(2), torch.tensor([0.1, 0.2])))
    module.register_buffer("derived", torch.ones(100), persistent=False)
    loss = KolmogorovLoss(module, exclude=["embedding.*", "norm.*"], rest_bits=rest_bits)
    items = loss.bits().items
    whole = 32 if rest_bits else 0
    assert items["frozen"] == 20 * narrow
    assert items["excluded"] == (20 + 3 + 3) * narrow
    assert items["buffers"] == (3 + 3) * narrow + whole + 2 * 2 * narrow
    decoded = loss.decoded_state()
    module.load_state_dict(decoded)
    exact = rest_bits != 16
    original = nn.BatchNorm1d(3).state_dict()["running_var"]
    assert torch.equal(decoded["norm.running_var"], original)
    rounding = (decoded["phases"] - torch.polar(torch.ones(2), torch.tensor([0.1, 0.2]))).abs()
    assert bool((rounding == 0).all()) == exact
    assert rounding.max() < 2**-8


def test_the_decoded_state_is_the_callers_own() -> None:
    """Changing the decoded state does not change the module."""
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    state = KolmogorovLoss(module, exclude="0.bias").decoded_state()
    before = {name: item.clone() for name, item in module.state_dict().items()}
    for item in state.values():
        item.add_(1)
    assert all(torch.equal(item, before[name]) for name, item in module.state_dict().items())


def test_extra_state_is_passed_on() -> None:
    """Extra state beside a module's tensors is unchanged in the decoded state."""

    class Counting(nn.Linear):
        def get_extra_state(self) -> dict[str, int]:
            return {"calls": 3}

        def set_extra_state(self, state: dict[str, int]) -> None:
            self.calls = state["calls"]

    module = Counting(2, 2)
    module.load_state_dict(KolmogorovLoss(module).decoded_state())
    assert module.calls == 3

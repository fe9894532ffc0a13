"""Muon's compiled step against its formula in float64, and against PyTorch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon

from bitfold.training.step.optimizers import set_rate
from bitfold.training.whole_epoch.optimizers.flat_learner import FlatLearner
from bitfold.training.whole_epoch.optimizers.kernels import update

RATE, NUM_STEPS = 0.02, 3
SHAPES = [(12, 2), (12,), (12, 12), (12,), (3, 12), (3,)]

# One iteration makes an error at most `GROWTH` times as large. `GROWTH` is the polynomial's largest
# slope for singular values in 0 to 1.2, and its largest ratio of value to argument. By norm its
# terms add up to less than 20; each is a sum of at most 13 products and rounded as often.
LINEAR, CUBIC, QUINTIC = 3.4445, -4.7750, 2.0315
GROWTH = LINEAR
ROUNDINGS = 20 * 13
FLOAT32 = 2.0**-24
# PyTorch's products round to 8 bits: its error was never seen above this share of a step.
BFLOAT16_SHARE = 0.1

SETTINGS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "plain momentum": {"nesterov": False, "momentum": 0.5},
    "decay, other rule": {"weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"},
    "two iterations": {"ns_steps": 2, "momentum": 0.3},
}


class Twin:
    """Parameters, gradients, and the optimisers that step them."""

    def __init__(self, **settings: Any) -> None:
        generator = torch.Generator().manual_seed(0)
        self.parameters = [nn.Parameter(torch.randn(s, generator=generator)) for s in SHAPES]
        matrices = [item for item in self.parameters if item.ndim == 2]
        others = [item for item in self.parameters if item.ndim != 2]
        self.muon = Muon(matrices, RATE, **{"weight_decay": 0.0, **settings})
        self.optimizers = [self.muon, AdamW(others, RATE, weight_decay=0.1)]


def gradients_of(step: int) -> list[Tensor]:
    """Return random gradients, the same for each call of a step."""
    generator = torch.Generator().manual_seed(1 + step)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


def exact_step(old: Tensor, slope: Tensor, average: Tensor, group: dict[str, Any]) -> Tensor:
    """Return the new matrix in float64, and update the gradients' ``average``."""
    part = group["momentum"]
    x = (1 - part) * slope + part * average if group["nesterov"] else average
    rows, columns = x.shape
    x = x.T if rows > columns else x
    x = x / x.norm()
    for _ in range(group["ns_steps"]):
        gram = x @ x.T
        x = LINEAR * x + (CUBIC * gram + QUINTIC * gram @ gram) @ x
    by_rms = group["adjust_lr_fn"] == "match_rms_adamw"
    factor = 0.2 * math.sqrt(max(rows, columns)) if by_rms else math.sqrt(max(1, rows / columns))
    kept: Tensor = old * (1 - RATE * group["weight_decay"])
    moved: Tensor = RATE * factor * (x.T if rows > columns else x)
    return kept - moved


def bound(item: Tensor, group: dict[str, Any]) -> float:
    """Return the largest distance of a step from the exact one, by norm."""
    iterations = sum(GROWTH**k for k in range(group["ns_steps"] + 1))
    factor = max(1.0, 0.2 * math.sqrt(max(item.shape)), math.sqrt(item.shape[0] / item.shape[1]))
    moved = RATE * factor * iterations * ROUNDINGS * FLOAT32
    return moved + 4 * FLOAT32 * float(item.detach().norm())


def step_compiled(flat: FlatLearner, slopes: list[Tensor]) -> None:
    """Give these gradients to the compiled loop."""
    arrays = flat.arrays()
    torch.from_numpy(arrays[1]).copy_(torch.cat([slope.flatten() for slope in slopes]))
    update(*arrays)
    flat.finish()


@pytest.mark.parametrize("name", SETTINGS)
def test_matrices_follow_the_formula(name: str) -> None:
    """Tall, square and wide matrices move as in float64, up to float32's roundings."""
    twin = Twin(**SETTINGS[name])
    flat, group = FlatLearner(twin.parameters, twin.optimizers), twin.muon.param_groups[0]
    averages = [torch.zeros(shape).double() for shape in SHAPES]
    for step in range(NUM_STEPS):
        slopes, before = gradients_of(step), [item.detach().double() for item in twin.parameters]
        step_compiled(flat, slopes)
        for number, item in enumerate(twin.parameters):
            averages[number].lerp_(slopes[number].double(), 1 - group["momentum"])
            if item.ndim == 2:
                slope = slopes[number].double()
                wanted = exact_step(before[number], slope, averages[number], group)
                off = float((item.detach().double() - wanted).norm())
                assert off <= bound(item, group)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_step_is_pytorchs(name: str) -> None:
    """Vectors and states are PyTorch's; matrices are nearer to the exact step than PyTorch's."""
    ours, theirs = Twin(**SETTINGS[name]), Twin(**SETTINGS[name])
    flat, slopes = FlatLearner(ours.parameters, ours.optimizers), gradients_of(0)
    before, group = [item.detach().double() for item in ours.parameters], ours.muon.param_groups[0]
    step_compiled(flat, slopes)
    for item, slope in zip(theirs.parameters, slopes, strict=True):
        item.grad = slope
    for optimizer in theirs.optimizers:
        optimizer.step()
    for number, (item, their) in enumerate(zip(ours.parameters, theirs.parameters, strict=True)):
        if item.ndim == 2:
            slope = slopes[number].double()
            average = (1 - group["momentum"]) * slope
            wanted = exact_step(before[number], slope, average, group)
            off, other = (float((one.detach() - wanted).norm()) for one in (item, their))
            assert off < other < BFLOAT16_SHARE * float((wanted - before[number]).norm())
        else:
            torch.testing.assert_close(item, their, rtol=4 * FLOAT32, atol=RATE * 10 * FLOAT32)
    for mine, other_one in zip(ours.optimizers, theirs.optimizers, strict=True):
        for stepped, state in mine.state.items():
            number = next(i for i, p in enumerate(ours.parameters) if p is stepped)
            for key, value in other_one.state[theirs.parameters[number]].items():
                torch.testing.assert_close(state[key], value)


def test_a_loaded_state_goes_on() -> None:
    """After a state is loaded and the rate changed, steps have the bits of an unbroken run."""
    whole, first = Twin(), Twin()
    flats = [FlatLearner(twin.parameters, twin.optimizers) for twin in (whole, first)]
    for flat in flats:
        step_compiled(flat, gradients_of(0))
    again = Twin()
    loaded = FlatLearner(again.parameters, again.optimizers)
    with torch.no_grad():
        for item, saved in zip(again.parameters, first.parameters, strict=True):
            item.copy_(saved)
    for optimizer, saved_one in zip(again.optimizers, first.optimizers, strict=True):
        optimizer.load_state_dict(saved_one.state_dict())
    for twin, flat in ((whole, flats[0]), (again, loaded)):
        set_rate(twin.optimizers, RATE / 2)
        step_compiled(flat, gradients_of(1))
    pairs = zip(whole.parameters, again.parameters, strict=True)
    assert all(torch.equal(*pair) for pair in pairs)

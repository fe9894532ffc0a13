"""The six optimisers: each steps every parameter, and continues from a saved state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.targets import load_target, sample_split
from bitfold.training import Config
from bitfold.training.run.state import capture, restore
from bitfold.training.step.learner import Learner
from bitfold.training.step.optimizers import (
    keeps_state,
    network_optimizers,
    set_rate,
)
from bitfold.training.store.checkpoints import read_checkpoint, write_checkpoint
from bitfold.training.watch.oversight import Oversight
from tests.training.training_runs import as_bytes, tiny

CASES: list[dict[str, Any]] = [
    {"optimizer": "adam"},
    {"optimizer": "adam", "amsgrad": True, "weight_decay": 0.1, "adam_eps": 1e-3},
    {"optimizer": "adamw", "weight_decay": 0.1, "adam_beta1": 0.5},
    {"optimizer": "adamw", "amsgrad": True},
    {"optimizer": "muon"},
    {"optimizer": "muon", "muon_nesterov": False, "muon_adjust_lr_fn": "match_rms_adamw"},
    {"optimizer": "sgd", "weight_decay": 0.01},
    {"optimizer": "sgd_momentum", "momentum": 0.5},
    {"optimizer": "rmsprop", "momentum": 0.0},
    {"optimizer": "rmsprop", "momentum": 0.9, "rmsprop_alpha": 0.5},
]


def learner_of(config: Config) -> Learner:
    """Return a learner before its first epoch."""
    target = load_target("ring", size=16)
    return Learner(config, target, sample_split(target, points=50, batch_size=16, seed=0))


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_it_goes_on_bit_for_bit_from_what_was_saved(tmp_path: Path, case: dict[str, Any]) -> None:
    """Three epochs, a checkpoint on disk and three more epochs give the state of six epochs."""
    config = tiny(tmp_path, **case, kolmogorov_weight=0.05, kolmogorov_bins=8)
    whole, first, second = learner_of(config), learner_of(config), learner_of(config)
    split = sample_split(load_target("ring", size=16), points=50, batch_size=16, seed=0)
    before = whole.flat_weights()
    for epoch in range(1, 7):
        whole.run_epoch(epoch)
    for epoch in range(1, 4):
        first.run_epoch(epoch)
    path = write_checkpoint(tmp_path, capture(3, first, split, Oversight([]), None))
    restore(read_checkpoint(path), second, Oversight([]), tmp_path)
    for epoch in range(4, 7):
        second.run_epoch(epoch)
    one, other = (
        capture(6, learner, split, Oversight([]), None).tensors for learner in (whole, second)
    )
    assert {n: as_bytes(t) for n, t in one.items()} == {n: as_bytes(t) for n, t in other.items()}
    assert not bool((whole.flat_weights() == before).any())


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_every_parameter_belongs_to_exactly_one(case: dict[str, Any]) -> None:
    """Muon has the matrices and AdamW the other parameters; other optimisers have all."""
    network = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 1))
    optimizers = network_optimizers(Config(**case), network)
    stepped = [id(p) for o in optimizers for group in o.param_groups for p in group["params"]]
    assert sorted(stepped) == sorted(id(p) for p in network.parameters())
    if case["optimizer"] == "muon":
        matrices = {id(p) for p in network.parameters() if p.ndim == 2}
        assert {id(p) for group in optimizers[0].param_groups for p in group["params"]} == matrices
    else:
        assert len(optimizers) == 1


def test_options_arrive() -> None:
    """The optimiser has the configuration's options."""
    network = nn.Linear(2, 2)
    adam = Config(learning_rate=0.3, adam_beta1=0.1, adam_beta2=0.2, adam_eps=0.4, amsgrad=True)
    (found,) = network_optimizers(adam, network)
    wanted = {"lr": 0.3, "betas": (0.1, 0.2), "eps": 0.4, "amsgrad": True, "weight_decay": 0.0}
    assert {name: found.defaults[name] for name in wanted} == wanted
    (found,) = network_optimizers(
        Config(optimizer="rmsprop", rmsprop_alpha=0.5, adam_eps=0.1, momentum=0.2), network
    )
    wanted = {"lr": 0.001, "alpha": 0.5, "eps": 0.1, "momentum": 0.2}
    assert {name: found.defaults[name] for name in wanted} == wanted
    muon, _ = network_optimizers(
        Config(optimizer="muon", muon_momentum=0.5, muon_ns_steps=2, muon_eps=0.1), network
    )
    wanted = {"momentum": 0.5, "ns_steps": 2, "eps": 0.1, "nesterov": True}
    assert {name: muon.defaults[name] for name in wanted} == wanted


def test_a_rate_is_set_everywhere() -> None:
    """Setting a rate reaches both optimisers of muon."""
    optimizers = network_optimizers(Config(optimizer="muon"), nn.Linear(2, 2))
    set_rate(optimizers, 0.25)
    assert [group["lr"] for o in optimizers for group in o.param_groups] == [0.25, 0.25]


def test_memory_is_kept_where_the_other_can_use_it() -> None:
    """Memory survives a change of rate, and not of kind or of averages that were not gathered."""
    adam, heavy = Config(), Config(optimizer="sgd_momentum")
    assert keeps_state(adam, Config(learning_rate=0.5, weight_decay=0.1))
    assert keeps_state(heavy, heavy.replace(momentum=0.5))
    assert not keeps_state(adam, heavy)
    assert not keeps_state(adam, Config(amsgrad=True))
    assert not keeps_state(heavy, heavy.replace(momentum=0.0))


def test_a_step_is_that_of_torch() -> None:
    """One epoch of plain SGD changes parameters by the gradient times the rate."""
    config = Config(optimizer="sgd", learning_rate=0.1, batch_size=50, shape="[3]", threads=1)
    learner = learner_of(config)
    before = [p.detach().clone() for p in learner.network.parameters()]
    points, wanted = learner.objective.data.points, learner.objective.data.values
    loss = learner.task.loss(learner.network(points), wanted)
    gradients = torch.autograd.grad(loss, list(learner.network.parameters()))
    learner.run_epoch(1)
    for parameter, old, gradient in zip(
        learner.network.parameters(), before, gradients, strict=True
    ):
        assert torch.allclose(parameter, old - 0.1 * gradient, atol=1e-6)

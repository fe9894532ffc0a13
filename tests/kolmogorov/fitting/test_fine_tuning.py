"""Tests of the epochs that make a trained module short."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import bitfold
from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import fine_tune


def task() -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    """A network that was trained for a task, and the task's batches."""
    torch.manual_seed(0)
    points = torch.randn(512, 12)
    classes = points[:, :3].argmax(1)
    network = nn.Sequential(nn.Linear(12, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(points), classes)
        loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
        optimizer.step()
    return network.eval(), list(
        zip(torch.split(points, 128), torch.split(classes, 128), strict=True)
    )


def share_wrong(network: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> float:
    """The error of a network."""
    wrong = [network(points).argmax(1) != classes for points, classes in batches]
    return float(torch.cat(wrong).double().mean())


def test_a_trained_module_becomes_a_small_file(tmp_path: Path) -> None:
    """The file is a fraction of what rounding gives, about as right, and decodes to the module."""
    network, batches = task()
    before = copy.deepcopy(network.state_dict())
    lines = list[str]()
    tuned = fine_tune(network, batches, epochs=25, rate=1e-2, progress=lines.append)
    path = tmp_path / "a.bitfold"
    num_bytes = bitfold.write_model(path, *tuned)
    rounded, of_buffers = bitfold.write_model(tmp_path / "b.bitfold", network), 8 * 32
    assert num_bytes - of_buffers < (rounded - of_buffers) / 4
    decoded = bitfold.read_model(path, into=copy.deepcopy(network))
    assert share_wrong(decoded.eval(), batches) < share_wrong(network, batches) + 0.05
    for name, item in decoded.state_dict().items():
        assert torch.equal(item, tuned.module.state_dict()[name]), name
    assert all(torch.equal(item, before[name]) for name, item in network.state_dict().items())
    assert not tuned.module.training
    assert lines[0].startswith("epoch 1 of 25: loss ")


def test_numbers_as_targets_and_inputs_by_name() -> None:
    """Targets of real numbers are met in the mean square, and a strength makes files shorter."""

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 1)

        def forward(self, first: Tensor, second: Tensor) -> Tensor:
            found: Tensor = self.layer(first + second)
            return found

    torch.manual_seed(0)
    first = torch.randn(64, 4)
    batches = [({"first": first, "second": first}, first.sum(1, keepdim=True))]
    bits = [
        fine_tune(Sum(), batches, epochs=40, strength=strength, rate=1e-2).kolmogorov.bits().total
        for strength in (1e-4, 30.0)
    ]
    assert bits[1] < bits[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda batches: {"loader": iter(batches)}, "can be gone through again"),
        (lambda batches: {"loader": []}, "with samples, got none"),
        (lambda batches: {"loader": 3}, "a loader of batches, got a int"),
        (lambda batches: {"loader": [batches[0][0]]}, "pairs of inputs and targets, got a Tensor"),
        (lambda batches: {"loader": [(batches[0][0] * torch.nan, batches[0][1])]}, "a finite loss"),
        (lambda batches: {"epochs": 0}, "at least 1 epoch"),
        (lambda batches: {"strength": 0.0}, "a strength above 0"),
        (lambda batches: {"rate": float("nan")}, "a rate above 0"),
    ],
)
def test_errors_say_what_to_do(change: Callable[[Any], dict[str, Any]], message: str) -> None:
    """Each is one line."""
    network, batches = task()
    with pytest.raises(KolmogorovError, match=message) as found:
        fine_tune(network, **{"loader": batches, "epochs": 1, **change(batches)})
    assert "\n" not in str(found.value)

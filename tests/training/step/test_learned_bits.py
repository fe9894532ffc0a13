"""``bits:N`` in runs with learned steps: N is met within 2 % at the end, also by the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import bitfold
from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import KolmogorovLoss, begin_steps, round_to_bits
from bitfold.model_file import read_model, write_model
from bitfold.training.lambda_control.bits_lambda import TOLERANCE
from tests.training.training_runs import Heard, tiny

SETTINGS: dict[str, Any] = {
    "size": 32,
    "shape": "[8]*3",
    "points": 600,
    "validation_points": 200,
    "batch_size": 200,
    "epochs": 100,
    "save_interval": "1000",
    "checkpoint_interval": 1000,
    "measure_folds": 0,
    "kolmogorov_quantise": "learned",
}
#: A file's own bytes beside the counted ones.
FILE_BITS = 16 * 8


@pytest.mark.parametrize(
    ("num_bits", "seed"),
    [
        (600, 0),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in ((600, 1), (900, 0), (900, 1), (1300, 0), (1300, 1))
        ),
    ],
)
def test_a_number_of_bits_is_met_at_the_end(tmp_path: Path, num_bits: int, seed: int) -> None:
    """The final description is within 2 % of N bits, and the run prints no miss."""
    heard = Heard()
    settings = {**SETTINGS, "kolmogorov_weight": f"bits:{num_bits}", "seed": seed}
    run = bitfold.train(tiny(tmp_path / "run", **settings), [heard])
    ended = heard.ended
    assert ended.kolmogorov is not None
    bits = ended.kolmogorov.bits().total
    assert abs(bits / num_bits - 1) <= TOLERANCE
    assert run.metrics["description_bits"][-1] == pytest.approx(bits)
    assert not any("was not met" in line for line in heard.notices)
    size = write_model(tmp_path / "net.bitfold", ended.network, ended.kolmogorov)
    assert abs(8 * size - num_bits) <= TOLERANCE * num_bits + FILE_BITS
    found = read_model(tmp_path / "net.bitfold").state_dict()
    assert all(torch.equal(found[n], item) for n, item in run.network().state_dict().items())


@pytest.mark.parametrize("epochs", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_a_run_too_short_to_learn_meets_it_too(tmp_path: Path, epochs: int) -> None:
    """In a run too short for lambda to reach N, rounding the weights reaches N."""
    heard = Heard()
    settings = {**SETTINGS, "kolmogorov_weight": "bits:500", "epochs": epochs}
    bitfold.train(tiny(tmp_path / "run", **settings), [heard])
    assert heard.ended.kolmogorov is not None
    assert abs(heard.ended.kolmogorov.bits().total / 500 - 1) <= TOLERANCE


def test_what_is_out_of_reach_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A length that no rounding of so small a network reaches gives a line."""
    monkeypatch.setattr("bitfold.kolmogorov.fitting.budget._MOST_ROUNDS", 5)
    heard = Heard()
    settings = {**SETTINGS, "kolmogorov_weight": "bits:900000", "epochs": 3, "shape": "[2]"}
    bitfold.train(tiny(tmp_path / "run", **settings), [heard])
    assert any("bits:900000 was not met" in line for line in heard.notices)


def described() -> tuple[KolmogorovLoss, Callable[[], float]]:
    """Return a small network with a run's first steps, and its outputs' error."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))
    points = torch.randn(300, 12)
    wanted = network(points).detach()
    kolmogorov = KolmogorovLoss(network, quantise="learned")
    begin_steps(kolmogorov, 4.0)

    def task() -> float:
        with torch.no_grad(), kolmogorov.quantised():
            result: float = (network(points) - wanted).square().mean().item()
            return result

    return kolmogorov, task


@pytest.mark.parametrize("num_bits", [1500, 900, 400])
def test_rounding_meets_what_is_far_away(num_bits: int) -> None:
    """Rounding reaches a description that is much longer or much shorter."""
    kolmogorov, task = described()
    bits = round_to_bits(kolmogorov, num_bits, task)
    assert bits == kolmogorov.bits().total
    assert abs(bits / num_bits - 1) <= 0.02


@pytest.mark.parametrize("share", [0.97, 1.03])
def test_where_little_is_missing_the_task_is_asked(share: float) -> None:
    """For a small change, the moved weights harm the task less than weights chosen without it."""
    kolmogorov, task = described()
    num_bits = round(share * kolmogorov.bits().total)
    round_to_bits(kolmogorov, num_bits, task)
    blind, of_blind = described()
    round_to_bits(blind, num_bits, lambda: 0.0)
    assert task() < 0.8 * of_blind()


def test_rounding_leaves_alone_what_is_near_enough() -> None:
    """If the length is already met, rounding moves no weight."""
    torch.manual_seed(0)
    network = nn.Linear(20, 10)
    kolmogorov = KolmogorovLoss(network, quantise="learned")
    before = [item.detach().clone() for item in network.parameters()]
    bits = kolmogorov.bits().total
    assert round_to_bits(kolmogorov, round(bits), lambda: 0.0) == bits
    for item, kept in zip(network.parameters(), before, strict=True):
        assert torch.equal(item, kept)


def test_rounding_needs_steps() -> None:
    """Rounding to a length is refused for fixed bins."""
    kolmogorov = KolmogorovLoss(nn.Linear(4, 4), weight_range=(-1.0, 1.0))
    with pytest.raises(KolmogorovError, match="expected a loss that learns steps"):
        round_to_bits(kolmogorov, 100, lambda: 0.0)

"""Tests of the registry, and of predictors and targets that are added in one file."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import bitfold
from bitfold.errors import KolmogorovError, ModelFileError
from bitfold.kolmogorov import (
    PREDICTORS,
    TARGETS,
    KolmogorovLoss,
    Shares,
    Targets,
    WeightPredictor,
    choose_predictor,
    finish,
    fit_predictor,
)
from tests.kolmogorov.narrowing import gradient_of

#: A predictor in its own file.
PREDICTOR = """
import torch
from torch import nn
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor

class HistogramPredictor(WeightPredictor):
    option_name = "histogram"
    option_rank = 9

    def attach(self, layout, bins, generator):
        super().attach(layout, bins, generator)
        self.logits = nn.Parameter(torch.zeros(len(layout.blocks), bins.num_bins))

    def forward(self, subset, indices):
        return -self.logits.log_softmax(1)[subset.block_numbers, indices]
"""
#: Targets in their own file.
LOWER_BIN = """
from dataclasses import dataclass
import torch
from bitfold.kolmogorov.grid.soft_assignment.targets import Shares, Targets

@dataclass(frozen=True)
class LowerBinTargets(Targets):
    option_name = "lower_bin"
    num_bins: int
    window = 1

    def shares(self, index):
        bins = index.floor().long().clamp(0, self.num_bins - 1).unsqueeze(0)
        one = torch.ones_like(index).unsqueeze(0)
        return Shares(bins, one, 0 * one)
"""
#: A user's program, which uses both by their names.
USE = """
import bitfold
import torch
from bitfold.cli.main import main
from bitfold.training.step.construction import build_kolmogorov
from bitfold.kolmogorov import KolmogorovLoss, choose_predictor, finish, fit_predictor

torch.manual_seed(0)
network = torch.nn.Linear(6, 5)
loss = KolmogorovLoss(network, predictor="histogram", targets="lower_bin", bins=16)
loss().backward()
assert loss.predictor.logits.grad.any()
fit_predictor(loss, 20)
finish(loss)
assert loss.report().total.bits > 0
choice = choose_predictor(network, candidates=["histogram"], bins=16)
assert choice.best.name == "HistogramPredictor"
names = {"kolmogorov_predictor": "histogram", "kolmogorov_targets": "lower_bin"}
config = bitfold.Config(kolmogorov_weight=0.1, **names)
assert build_kolmogorov(config, bitfold.PolytopeNet(2, "[3]", 1), torch.Generator())() > 0
try:
    main(["train", "--help"])
except SystemExit:
    pass
"""


class Geometric(WeightPredictor):
    """The probability of a bin falls with its distance from the bin of 0."""

    def attach(self, layout: Any, bins: Any, generator: Any) -> None:
        """Make a rate for each tensor."""
        super().attach(layout, bins, generator)
        self.rate = nn.Parameter(torch.zeros(len(layout.blocks)))

    def forward(self, subset: Any, indices: Any) -> Any:
        """Return the rates' distribution, normalised over all bins."""
        distance = (torch.arange(self.bins.num_bins) - self.bins.origin).abs()
        nats = -(-self.rate.exp()[:, None] * distance).log_softmax(1)
        return nats[subset.block_numbers, indices]


class Triangle(Targets):
    """A third of a weight in each of its three nearest bins."""

    def __init__(self, num_bins: int) -> None:
        self.num_bins = num_bins

    @property
    def window(self) -> int:
        """Return the width of the window, three bins."""
        return 3

    def shares(self, index: Tensor) -> Shares:
        """Return thirds, moved by the distance from the middle bin."""
        middle = index.round().long().clamp(1, self.num_bins - 2)
        off, third = (index - middle) / 2, torch.full_like(index, 1 / 3)
        half = torch.full_like(index, 0.5)
        return Shares(
            torch.stack([middle - 1, middle, middle + 1]),
            torch.stack([third - off, third, third + off]),
            torch.stack([-half, 0 * half, half]),
        )


def network() -> nn.Module:
    """Return two layers in which most weights are small."""
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 9), nn.ReLU(), nn.Linear(9, 4))
    with torch.no_grad():
        for item in module.parameters():
            item.normal_(generator=generator).pow_(3)
    return module


def test_the_registry_lists_options_by_rank() -> None:
    """Names stand in the order in which help texts and errors show them."""
    assert list(PREDICTORS) == ["coordinate", "row_column", "per_tensor", "adaptive"]
    assert list(TARGETS) == ["soft", "linear", "noise", "rounded", "hard", "cut"]
    registered: list[tuple[str, Any]] = [*PREDICTORS.items(), *TARGETS.items()]
    for name, kind in registered:
        assert kind.option_name == name


@pytest.mark.parametrize("settings", [{}, {"quantise": "learned"}, {"weight_range": (-2.0, 2.0)}])
def test_a_predictor_of_one_class_does_everything(settings: Any) -> None:
    """For a class defined here, K, gradients, bits, report, fit and finish work in every range."""
    module = network()
    loss = KolmogorovLoss(module, predictor=Geometric(), bins=32, **settings)
    loss().backward()
    assert gradient_of(loss.predictor.get_parameter("rate")).abs().min() > 0
    assert gradient_of(module.get_parameter("0.weight")).any()
    before = loss.bits()
    assert before.items["predictor"] > 0
    assert loss.report().total.bits == pytest.approx(
        before.items["weights"] + before.items["out_of_range"]
    )
    fit_predictor(loss)
    assert loss.bits().total < before.total
    finish(loss)
    assert not any(item.requires_grad for item in loss.parameters())


def test_a_predictor_of_one_class_can_be_chosen() -> None:
    """A class is chosen beside names, by its class name, where its distribution fits best."""
    found = choose_predictor(network(), candidates=["per_tensor", Geometric()], bins=32)
    assert {row.name.split(",")[0] for row in found.rows} == {"per_tensor", "Geometric"}


def test_a_predictor_without_a_method_in_files_says_so(tmp_path: Path) -> None:
    """The file format has no method for the class, and the error names it."""
    module = network()
    loss = KolmogorovLoss(module, predictor=Geometric(), bins=32)
    with pytest.raises(ModelFileError, match="got Geometric"):
        bitfold.write_model(tmp_path / "model.bitfold", module, loss)


@pytest.mark.parametrize("predictor", ["row_column", "per_tensor", "coordinate", "adaptive"])
def test_targets_of_one_class_do_everything(predictor: str) -> None:
    """For targets defined here, K, gradients, coverage and bits work with all predictors."""
    module = network()
    loss = KolmogorovLoss(module, predictor=predictor, targets=Triangle(32), bins=32)
    cost = loss()
    cost.backward()
    assert math.isfinite(cost.item())
    assert gradient_of(module.get_parameter("0.weight")).any()
    assert 0 < loss.gradient_coverage() <= 1
    assert loss.report().total.bits > 0
    linear = KolmogorovLoss(module, predictor=predictor, bins=32)
    assert loss.bits().total == pytest.approx(linear.bits().total, rel=0.5)


def test_targets_for_another_number_of_bins_are_refused() -> None:
    """Targets for another number of bins are refused, as they would name bins that do not exist."""
    with pytest.raises(KolmogorovError, match="targets for 16 bins, got a Triangle for 32"):
        KolmogorovLoss(network(), targets=Triangle(32), bins=16)


def test_one_more_file_is_one_more_option(tmp_path: Path) -> None:
    """A file in the folder of predictors or targets alone makes its class an option everywhere."""
    package = tmp_path / "bitfold"
    shutil.copytree(
        Path(bitfold.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    (package / "kolmogorov/predictors/histogram.py").write_text(PREDICTOR)
    (package / "kolmogorov/grid/soft_assignment/lower_bin.py").write_text(LOWER_BIN)
    command = [sys.executable, "-c", USE]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "histogram" in done.stdout
    assert "lower_bin" in done.stdout

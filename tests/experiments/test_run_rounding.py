"""Rounding of a run's network: what people see is what they saw in training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import bitfold
from bitfold.cli.main import main
from bitfold.experiments import Goal, code_run
from bitfold.experiments.coded_run import coded
from bitfold.experiments.network_picture import draw_network
from bitfold.experiments.quality import Quality, QualityMeter
from bitfold.experiments.run_rounding import (
    MOST_LOST_DB,
    MOST_LOST_SHARE,
    RunRounding,
    _least_quality,
)
from bitfold.networks import PolytopeNet
from bitfold.training import EpochEnded, Run

QUICK: dict[str, Any] = {
    "measure_folds": 0, "audit": False, "snapshot_format": "none", "seed": 3, "points": "all",
    "batch_size": 1024, "learning_rate": 0.01, "lr_schedule": "cosine",
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Train on a page of text with a grid, on a ring, and on a disk in classes."""
    folder = tmp_path_factory.mktemp("runs")
    page = Image.new("RGB", (96, 64), "white")
    pen = ImageDraw.Draw(page)
    pen.text((6, 4), "white\nstays white", "#24292f", spacing=2)
    pen.rectangle((10, 44, 60, 56), fill="#2da44e")
    page.save(folder / "page.png")
    grid = {"encoding": "grid:4x2", "shape": "[24]*2", "task": "regression", "epochs": 40}
    settings: dict[str, dict[str, Any]] = {
        "page": {"target": str(folder / "page.png"), **grid},
        "ring": {"target": "ring", "size": 64, "shape": "[10]*8", "epochs": 60},
        "classes": {"target": "disk", "size": 64, "task": "classification", "epochs": 20},
    }
    return {
        name: bitfold.train(bitfold.Config(**QUICK, **given, output_dir=str(folder / name)))
        for name, given in settings.items()
    }


def lost_db(run: Run, network: torch.nn.Module) -> float:
    """The PSNR that a network loses against that of the run, as pictures are shown."""
    meter = QualityMeter.spread(run.target)
    own, found = (meter.measure(one.eval()).bounded_error for one in (run.network(), network))
    return 10 * math.log10(found / own)


@pytest.mark.parametrize("name", ["page", "ring"])
def test_a_picture_loses_no_more_than_the_rule_says(name: str, runs: dict[str, Run]) -> None:
    """By default at most 0.3 dB are lost, in a file that is not much better than that."""
    run = runs[name]
    found = code_run(run)
    assert 0.1 * MOST_LOST_DB < lost_db(run, found.network) <= MOST_LOST_DB
    assert found.how == "coded anew, as the run was trained without K"
    assert found.data == code_run(run).data
    # One tolerance for all tensors takes more bytes for the same, or loses more.
    plain = coded(run.network(), "", sort_neurons=True)
    assert len(found.data) < len(plain.data) or lost_db(run, plain.network) > MOST_LOST_DB


def test_white_stays_white(runs: dict[str, Run]) -> None:
    """Where the picture is white, no channel of the decoded picture moves by a level."""
    run = runs["page"]
    truth = run.target.picture()
    is_white = (truth == 255).all(2)
    height, width, _ = truth.shape
    means = []
    for network in (run.network(), code_run(run).network):
        assert isinstance(network, PolytopeNet)
        means.append(draw_network(network, width, height)[is_white].mean(0))
    assert is_white.mean() > 0.5
    assert np.abs(means[1] - means[0]).max() < 1


def test_classes_lose_few_pixels(runs: dict[str, Run]) -> None:
    """Of classes at most one pixel in 2,000 more is wrong."""
    run = runs["classes"]
    rounding = RunRounding(run.target, run.network())
    found = code_run(run)
    assert rounding.error(found.network) <= rounding.error(run.network()) + MOST_LOST_SHARE
    assert len(found.data) < len(rounding.plain("").data)


def test_a_quality_takes_fewer_bytes_than_one_tolerance(runs: dict[str, Run]) -> None:
    """A quality is reached in fewer bytes than with one tolerance for all tensors."""
    run = runs["ring"]
    rounding = RunRounding(run.target, run.network())
    wanted = 1.2 * rounding.error(run.network())
    found = code_run(run, goal=Goal(error=wanted))
    assert 0.9 * wanted < rounding.error(found.network) <= wanted
    assert len(found.data) < len(rounding._bisected("", rounding.error, wanted).data)


def test_what_the_search_cannot_find_is_bisected(
    runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound holds also where no file of the search is within it, down to no loss at all."""
    run = runs["ring"]
    own = RunRounding(run.target, run.network()).error(run.network())
    assert (
        RunRounding(run.target, run.network()).error(code_run(run, goal=Goal(error=own)).network)
        <= own
    )

    def refuse(*_: Any, **__: Any) -> Any:
        raise bitfold.ModelFileError("Cannot.")

    monkeypatch.setattr(RunRounding, "_within", refuse)
    assert lost_db(run, code_run(run).network) <= MOST_LOST_DB


def test_a_size_takes_the_better_of_two_ways(runs: dict[str, Run]) -> None:
    """Within a size, pixels of the picture make the network better, and never worse."""
    run = runs["page"]
    found = code_run(run, goal=Goal(num_bytes=900))
    plain = coded(run.network(), "", num_bytes=900, sort_neurons=True)
    assert len(found.data) <= 900
    assert lost_db(run, found.network) < lost_db(run, plain.network) - 0.3


def test_a_size_that_one_way_misses_is_reached_by_the_other(
    runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size is refused only if neither way reaches it."""
    rounding = RunRounding(runs["page"].target, runs["page"].network())
    missing: list[bool] = []

    def some(*given: Any, **options: Any) -> Any:
        if ("calibration" in options) in missing:
            raise bitfold.ModelFileError(f"Cannot, as {sorted(options)}.")
        return coded(*given, **options)

    monkeypatch.setattr("bitfold.experiments.run_rounding.coded", some)
    for way in (False, True):
        missing[:] = [way]
        assert len(rounding.within_bytes("", 900).data) <= 900
    missing[:] = [False, True]
    with pytest.raises(bitfold.ModelFileError, match="sort_neurons"):
        rounding.within_bytes("", 900)


def test_an_epoch_is_judged_by_the_picture_that_it_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was painted later says nothing about an earlier epoch."""
    settings = {**QUICK, "batch_size": 64, "target": "ring", "size": 32, "shape": "[10]*3"}
    path, last = tmp_path / "run", 40
    config = bitfold.Config(**settings, epochs=last + 1, output_dir=str(path))
    with bitfold.Session(config) as session:
        for event in session:
            if isinstance(event, EpochEnded) and event.epoch == last:
                session.change(target=255 - session.run.target.pixels)
    run = bitfold.load_run(path)
    epoch = max(one for one in run.epochs() if one < last)
    network, meter = run.network(epoch), QualityMeter.spread(run.at(epoch).target)
    own, found = meter.measure(network), code_run(run, epoch)
    assert found.data == RunRounding(run.at(epoch).target, network).as_seen("").data
    decoded = meter.measure(found.network).bounded_error
    assert 10 * math.log10(decoded / own.bounded_error) <= MOST_LOST_DB
    wanted = 1.2 * own.error
    reached = code_run(run, epoch, Goal(error=wanted)).network
    assert 0.9 * wanted < meter.measure(reached).error <= wanted
    given = ["--epoch", str(epoch), "-o", str(tmp_path / "net.bitfold")]
    assert main(["compress", str(path), *given]) == 0
    assert f"{own} of the network itself" in capsys.readouterr().out


def test_what_nobody_sees_may_be_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """A network of 90 dB may end at 58.6 dB, as the help says, and one of 30 dB at 29.7 dB."""
    for own, least in ((90, "58.6"), (30, "29.7")):
        error = 10 ** (-own / 10)
        limit = _least_quality(Quality(error, error, error, 0.0, True))
        assert f"{limit.psnr_db:.1f}" == least
    with pytest.raises(SystemExit):
        main(["compress", "--help"])
    assert "or ends at 58.6 dB or more" in " ".join(capsys.readouterr().out.split())


def test_a_network_that_went_wrong_is_written_as_it_is(runs: dict[str, Run]) -> None:
    """Of weights that are not finite nothing is lost."""
    network = runs["ring"].network()
    with torch.no_grad():
        next(network.parameters())[0] = math.nan
    found = RunRounding(runs["ring"].target, network).as_seen("")
    (first, *_), (wanted, *_) = found.network.parameters(), network.parameters()
    assert torch.equal(first.isnan(), wanted.isnan())

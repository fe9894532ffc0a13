"""Quality measures: means over pixels, by their definitions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import bitfold
from bitfold.experiments import (
    Quality,
    QualityMeter,
    decoded_psnr_db,
    measure_quality,
    spread_pixels,
)
from bitfold.targets import load_target
from bitfold.training import RunEnded


class Constant(nn.Module):
    """A network with the same outputs for every input."""

    def __init__(self, *outputs: float) -> None:
        super().__init__()
        self.outputs = torch.tensor(outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs once for each row of the input."""
        return self.outputs.expand(len(inputs), -1)


def test_regression_is_measured_by_its_definitions() -> None:
    """Mean squared error, clipped outputs and the share of wrong pixels equal their definitions."""
    target = load_target("disk", size=16)
    values = target.values(target.usable)
    found = measure_quality(target, Constant(1.5))
    assert found.error == found.task_loss == pytest.approx(np.square(values - 1.5).mean())
    assert found.bounded_error == pytest.approx(np.square(values - 1).mean())
    assert not target.is_two_valued
    assert found.share_off == pytest.approx((values < 0.9).mean())
    assert found.psnr_db == pytest.approx(-10 * math.log10(found.error))
    assert str(found).startswith("mean squared error")


def test_black_and_white_is_off_on_the_wrong_side_of_a_half() -> None:
    """An output of 0.6 is right where the picture is white, and off elsewhere."""
    target = load_target("checkerboard", size=16)
    assert target.is_two_valued
    share = (target.values(target.usable) < 0.5).mean()
    assert measure_quality(target, Constant(0.6)).share_off == pytest.approx(share)


def test_classes_are_measured_by_their_share() -> None:
    """The share of pixels in the wrong class is the error; there is no PSNR."""
    target = load_target("disk", size=16, task="classification")
    values = target.values(target.usable)
    found = measure_quality(target, Constant(5.0, 0.0))
    assert found.error == found.share_off == pytest.approx((values != 0).mean())
    assert found.psnr_db is None
    assert str(found).endswith("of the pixels wrong")


def test_pixels_are_spread_evenly() -> None:
    """Quality uses every k-th usable pixel, and at least ``max_pixels`` of them."""
    target = load_target("disk", size=16)
    pixels = spread_pixels(target, 100)
    assert 100 <= len(pixels) < 200
    assert len(set(np.diff(pixels))) == 1
    assert QualityMeter(target, pixels).num_pixels == len(pixels)
    assert len(spread_pixels(target, 10**6)) == target.num_usable


def test_only_equal_pictures_are_exact() -> None:
    """However small an error is, its PSNR is a number."""
    nearly, equal = (Quality(error, error, error, 0.0, True) for error in (1e-11, 0.0))
    assert str(nearly) == "mean squared error 1e-11, PSNR 110.00 dB"
    assert str(equal) == "mean squared error 0, PSNR exact"


def test_a_decoded_picture_has_its_psnr_or_is_exact(tmp_path: Path) -> None:
    """The decoded network is measured at the validation points; one without an error is exact."""
    Image.new("L", (16, 16), 0).save(tmp_path / "black.png")
    config = bitfold.Config(
        target=str(tmp_path / "black.png"), task="regression", shape="[4]", epochs=1,
        kolmogorov_quantise="learned", measure_folds=0, snapshot_format="none",
        output_dir=str(tmp_path / "run"),
    )  # fmt: skip
    with bitfold.Session(config) as session:
        ended = list(session)[-1]
    assert isinstance(ended, RunEnded)
    assert ended.kolmogorov is not None
    run, network = bitfold.load_run(tmp_path / "run"), ended.kolmogorov.table.module
    found = decoded_psnr_db(run, ended.kolmogorov)
    decoded = run.new_network()
    decoded.load_state_dict(ended.kolmogorov.decoded_state())
    points = torch.from_numpy(run.target.grid.coordinates(run.split.validation))
    assert found == pytest.approx(-10 * math.log10(decoded(points).square().mean().item()))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert decoded_psnr_db(run, ended.kolmogorov) == math.inf

"""Runs whose network begins with triangle waves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import bitfold
from bitfold.cli.main import main
from bitfold.errors import ConfigError
from bitfold.experiments import draw_picture
from bitfold.recording import NetworkView
from bitfold.training import Noticed, read_network
from tests.training.training_runs import WITH_K, Heard, metrics_of, tiny


def notices(folder: Path, **settings: Any) -> list[str]:
    """Return the notices at the start of a run."""
    heard = Heard()
    bitfold.train(tiny(folder, epochs=1, **settings), [heard])
    return [event.message for event in heard.events if isinstance(event, Noticed)]


@pytest.mark.parametrize(("encoding", "cells"), [("triangle:2", 64), ("grid:2x2", 128)])
def test_a_run_with_an_encoding_is_measured_and_read_back(
    encoding: str, cells: int, tmp_path: Path
) -> None:
    """A run with an encoding is measured, configured and stored with the encoding."""
    run = bitfold.train(tiny(tmp_path / "run", encoding=encoding, measure_folds=1, **WITH_K))
    assert f'encoding = "{encoding}"' in (run.path / "config.toml").read_text()
    assert all(line["num_polytopes"] >= cells for line in metrics_of(run.path))
    newest = max((run.path / "checkpoints").glob("*.safetensors"))
    network, config = read_network(newest)
    assert config.encoding == str(network.encoding) == encoding
    points = torch.rand(9, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    assert torch.equal(network(points), bitfold.load_run(run.path).network()(points))


def test_a_continued_run_keeps_its_encoding(tmp_path: Path) -> None:
    """A continued run keeps its encoding; another encoding is refused."""
    run = bitfold.train(tiny(tmp_path / "run", encoding="triangle:2"))
    with pytest.raises(ConfigError, match="another `encoding`"):
        bitfold.resume(run.path, encoding="triangle:3")
    before = run.config.epochs
    assert bitfold.resume(run.path, epochs=before + 2).metrics["epoch"][-1] == before + 2


def test_a_model_file_rebuilds_the_waves(tmp_path: Path) -> None:
    """The recipe holds the encoding in a few bits, and decompress draws at any size."""
    sizes = {}
    for encoding in ("none", "triangle:4"):
        network = bitfold.PolytopeNet(
            2, "[5]", 3, encoding=encoding, generator=torch.Generator().manual_seed(0)
        )
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
        path = tmp_path / f"{encoding[0]}.bitfold"
        sizes[encoding] = bitfold.write_model(path, network)
        found = bitfold.read_model(path)
        assert isinstance(found, bitfold.PolytopeNet)
        assert str(found.encoding) == encoding
    assert sizes["triangle:4"] <= sizes["none"] + 4
    picture = tmp_path / "picture.png"
    assert main(["decompress", str(path), "-o", str(picture), "--size", "37"]) == 0


def test_octaves_that_pixels_cannot_show_are_named(tmp_path: Path) -> None:
    """A line names octaves that pixels cannot show, and the largest useful number."""
    assert notices(tmp_path / "fits", size=32, encoding="triangle:5", measure_folds=0) == []
    (line,) = notices(tmp_path / "fine", size=32, encoding="triangle:6", measure_folds=0)
    assert "more octaves than 32 pixels can show, which is 5" in line


def test_cells_that_are_too_many_to_measure_are_named(tmp_path: Path) -> None:
    """For too many cells, a line gives both numbers and training measures no folds."""
    lines = notices(tmp_path / "run", size=32, encoding="triangle:9", measure_folds=1)
    assert "1,048,576 cells, and networks of at most 200,000 polytopes" in lines[-1]
    assert all("num_polytopes" not in line for line in metrics_of(tmp_path / "run"))


def test_grids_that_ask_too_much_are_named(tmp_path: Path) -> None:
    """Lines name grids with more weights than pixels, or more vertices than can be cut exactly."""
    lines = " ".join(notices(tmp_path / "run", encoding="grid:5x1"))
    assert "5,709 weights, more than the" in lines
    assert "more than 2,048 vertices" in lines


@pytest.mark.parametrize("encoding", ["grid:1x2", "triangle:2"])
def test_a_clip_is_learned_and_drawn_along_its_time(encoding: str, tmp_path: Path) -> None:
    """A clip with an encoding of x, y and t has different frames at two times."""
    frames = np.random.default_rng(0).integers(0, 256, (3, 12, 12, 3), np.uint8)
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100)
    target = str(tmp_path / "a.gif")
    run = bitfold.train(tiny(tmp_path / "run", target=target, encoding=encoding))
    assert run.status["status"] == "completed"
    drawn = [draw_picture(NetworkView.of(run.path), 12, 12, time) for time in (-0.4, 0.3)]
    assert not np.array_equal(drawn[0], drawn[1])

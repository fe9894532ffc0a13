"""``bitfold compress``, ``info`` and ``decompress``: a run's network as a file, and back."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import bitfold
from bitfold.cli.main import main
from bitfold.experiments import draw_network
from bitfold.networks import Picture
from bitfold.targets import load_target
from tests.cli.command_runs import nothing_drawn

SMALL = [
    "--shape", "[6]*2", "--epochs", "100", "--batch-size", "128", "--seed", "3", "--size", "32",
    "--learning-rate", "0.01", "--snapshot-format", "none", "--quiet",
]  # fmt: skip


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a run of one output."""
    folder = tmp_path_factory.mktemp("ring") / "run"
    with nothing_drawn():
        assert main(["train", "ring", *SMALL, "-o", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a run of two classes."""
    folder = tmp_path_factory.mktemp("classes") / "run"
    command = ["train", "disk", *SMALL, "--task", "classification", "-o", str(folder)]
    with nothing_drawn():
        assert main(command) == 0
    return folder


def test_a_file_of_few_bytes_draws_its_picture_in_a_fresh_process(
    ring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file has at most the given bytes, and a fresh process draws the decoded picture."""
    path, picture = tmp_path / "net.bitfold", tmp_path / "picture.png"
    assert main(["compress", str(ring), "-o", str(path), "--bytes", "100"]) == 0
    assert 80 < path.stat().st_size <= 100
    printed = capsys.readouterr().out
    assert "as decoded" in printed
    assert "both on all 1,024 pixels of the picture" in printed
    command = ["decompress", str(path), "-o", str(picture), "--size", "40", "20"]
    ran = subprocess.run(
        [sys.executable, "-m", "bitfold", *command], capture_output=True, check=True, text=True
    )
    assert f"40 x 20 pixels from {path.stat().st_size} bytes" in ran.stdout
    shown = np.asarray(Image.open(picture).convert("L"), dtype=float) / 255
    assert shown.shape == (20, 40)
    x, y = np.meshgrid((np.arange(40) + 0.5) / 40 - 0.5, (np.arange(20) + 0.5) / 20 - 0.5)
    points = torch.tensor(np.stack([x.ravel(), y.ravel()], 1), dtype=torch.float32)
    expected = bitfold.read_model(path)(points).detach().clamp(0, 1).view(20, 40).numpy()
    assert np.abs(shown - expected).max() < 0.6 / 255


def number(pattern: str, text: str) -> float:
    """Return the first number that a pattern's group finds in a text."""
    match = re.search(pattern, text)
    assert match is not None, text
    return float(match[1])


def test_a_quality_is_met_by_the_decoded_network(
    ring: Path, classes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """PSNR and error are those of the file's network, and a lower quality takes fewer bytes."""
    path, sizes = tmp_path / "net.bitfold", []
    assert main(["compress", str(ring), "-o", str(path)]) == 0
    printed = capsys.readouterr().out
    whole = number(r"PSNR ([\d.]+) dB of the network itself", printed)
    assert whole - 0.31 <= number(r"PSNR ([\d.]+) dB as decoded", printed) <= whole + 0.1
    for less in (0.1, 1.0):
        given = ["--psnr", f"{whole - less:.3f}"]
        assert main(["compress", str(ring), "-o", str(path), *given]) == 0
        reached = number(r"PSNR ([\d.]+) dB as decoded", capsys.readouterr().out)
        assert whole - less - 0.01 <= reached <= whole + 0.1
        sizes.append(path.stat().st_size)
    assert sizes[1] < sizes[0]
    assert main(["compress", str(classes), "-o", str(path), "--error", "0.6"]) == 0
    assert number(r"([\d.]+) % of the pixels", capsys.readouterr().out) <= 60
    assert main(["decompress", str(path), "-o", str(tmp_path / "a.png"), "--size", "9"]) == 0
    assert [item.name for item in tmp_path.iterdir() if "trial" in item.name] == []


def test_info_lists_every_byte(
    ring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parts of the table add up to its last line, the file's size."""
    path = tmp_path / "net.bitfold"
    assert main(["compress", str(ring), "-o", str(path), "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["info", str(path)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows[0][0] == "header"
    assert rows[-1][0] == "total"
    assert sum(float(row[1]) for row in rows[:-1]) == pytest.approx(path.stat().st_size, abs=1)
    assert float(rows[-1][1]) == path.stat().st_size


@pytest.fixture
def places(ring: Path, classes: Path, tmp_path: Path) -> dict[str, Path]:
    """Return a folder with runs, files that hold no picture, and room for outputs."""
    bitfold.write_model(tmp_path / "module", nn.Linear(2, 1))
    bitfold.write_model(tmp_path / "other", bitfold.PolytopeNet(5, [3], 1))
    for name, inputs, frames in (("wide", 2, 0), ("clip", 3, 5)):
        network = bitfold.PolytopeNet(inputs, [3], 1)
        network.picture = Picture(3, 2, frames, 12.5 if frames else None)
        bitfold.write_model(tmp_path / name, network)
    names = ("module", "other", "wide", "clip", "out")
    return {"RING": ring, "CLASSES": classes, **{n.upper(): tmp_path / n for n in names}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compress", "RING", "-o", "OUT", "--bytes", "9"], "at least"),
        (["compress", "RING", "-o", "OUT", "--psnr", "90"], "of the network itself"),
        (["compress", "CLASSES", "-o", "OUT", "--psnr", "20"], "--error"),
        (["compress", "RING", "-o", "OUT", "--error", "nan"], "finite"),
        (["compress", "OUT", "-o", "OUT"], "run"),
        (["info", "OUT"], "No such file"),
        (["info", __file__], "expected a .bitfold file, got another kind, which begins with"),
        (["decompress", "MODULE", "-o", "OUT"], "into=module"),
        (["decompress", "OTHER", "-o", "OUT"], "2 or 3 inputs"),
        (["decompress", "OTHER", "-o", "OUT", "--size", "0"], "one or two sides"),
        (["decompress", "WIDE", "-o", "OUT.mp4"], "Cannot write a picture into"),
        (["decompress", "WIDE", "-o", "OUT.jpg"], "ending in .png, got .jpg"),
        (["decompress", "CLIP", "-o", "OUT.gif"], "ending in .png or .mp4, got .gif"),
    ],
)
def test_what_cannot_be_done_takes_one_line(
    arguments: Any,
    message: str,
    places: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An impossible request exits with code 2, prints one line of advice and writes no file."""
    assert main([str(places.get(one, one)) for one in arguments]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "clip", "module", "other", "wide",
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "expected"), [(["90"], (90, 60)), (["50", "70"], (50, 70))])
def test_a_picture_keeps_its_aspect(
    size: list[str], expected: tuple[int, int], places: dict[str, Path], tmp_path: Path
) -> None:
    """With one side given, the picture keeps its aspect; two given sides are used unchanged."""
    picture = tmp_path / "a.png"
    assert main(["decompress", str(places["WIDE"]), "-o", str(picture), "--size", *size]) == 0
    with Image.open(picture) as image:
        assert image.size == expected


def test_a_clip_is_written_with_all_its_frames(
    places: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An .mp4 has all frames of the learned clip at its rate, and a .png has one frame."""
    clip, still = tmp_path / "a.mp4", tmp_path / "a.png"
    assert main(["decompress", str(places["CLIP"]), "-o", str(clip), "--size", "96"]) == 0
    assert "5 frames of 96 x 64 pixels" in capsys.readouterr().out
    shown = load_target(str(clip), task="regression")
    assert shown.pixels.shape[:3] == (5, 64, 96)
    assert shown.frames_per_second == pytest.approx(12.5)
    network = bitfold.read_model(places["CLIP"])
    assert isinstance(network, bitfold.PolytopeNet)
    expected = draw_network(network, 96, 64, shown.grid.frame_time(4))
    assert np.abs(shown.picture(4).astype(int) - expected).mean() < 3
    assert main(["decompress", str(places["CLIP"]), "-o", str(still), "--size", "96"]) == 0
    with Image.open(still) as image:
        assert image.size == (96, 64)

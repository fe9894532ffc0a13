"""The settings that are chosen for a picture."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitfold import recording
from bitfold.cli.main import main
from bitfold.experiments import picture_settings
from bitfold.targets import Frames, make_target

RANDOM = np.random.default_rng(0)


def photograph(width: int, height: int) -> np.ndarray:
    """Return smooth colours with noise: (height, width, 3)."""
    ramp = np.linspace(0, 200, width)[None, :, None] + np.linspace(0, 30, height)[:, None, None]
    return (ramp + RANDOM.integers(0, 25, (height, width, 3))).astype(np.uint8)


def chosen(pixels: np.ndarray, **options: object) -> dict[str, object]:
    """Return the settings for an array of pixels."""
    return picture_settings(make_target("some", Frames(pixels[None])), **options).values  # type: ignore[arg-type] # names


def test_a_photograph_gets_an_encoding_and_minutes_by_its_size() -> None:
    """Photographs get an encoding, and larger ones get more minutes, up to five, and all pixels."""
    small, large = chosen(photograph(128, 64)), chosen(photograph(512, 512))
    assert small["points"] == large["points"] == "all"
    assert str(large["encoding"]) != "none"
    assert 1 <= float(str(small["minutes"])) < float(str(large["minutes"])) <= 5


def test_large_shapes_of_few_colours_need_no_encoding() -> None:
    """A drawing of two half planes gets no encoding, so that its frames show exact folds."""
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[:, 100:] = 255
    assert "encoding" not in chosen(pixels)
    assert "polytope_engine" not in chosen(pixels)


def test_letters_that_classes_would_lose_are_learned_as_values() -> None:
    """Thin grey lines are learned as values; the smoothed edges of large shapes make no class."""
    pixels = np.full((100, 100, 3), 255, np.uint8)
    pixels[:20] = (40, 60, 80)
    assert "task" not in chosen(pixels)
    pixels[20] = (150, 160, 170)  # a smoothed edge
    assert "task" not in chosen(pixels)
    for row in range(40, 90, 10):
        pixels[row, 10:90] = RANDOM.integers(0, 200, (80, 1))
    assert chosen(pixels)["task"] == "regression"
    assert "task" not in chosen(pixels, given=["task"])


def test_what_is_given_stays() -> None:
    """Given settings are kept, and given epochs replace the minutes."""
    values = chosen(photograph(64, 64), given=["shape", "epochs"])
    assert {"shape", "epochs", "minutes"}.isdisjoint(values)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train without the process that draws frames."""
    monkeypatch.setattr(recording, "Recorder", lambda **_: lambda event: None)


@pytest.mark.usefixtures("undrawn")
def test_train_says_and_records_what_it_chose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Training prints one line of the chosen settings and writes them to config.toml."""
    Image.fromarray(photograph(32, 32)).save(tmp_path / "photo.png")
    run = tmp_path / "run"
    words = ["train", str(tmp_path / "photo.png"), "-o", str(run), "--epochs", "2"]
    assert main([*words, "--shape", "[4]", "--save-interval", "1000", "--no-audit"]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("Settings for"))
    assert "a photograph, 32 x 32" in line
    settings = tomllib.loads((run / "config.toml").read_text())
    assert (settings["shape"], settings["epochs"], settings["points"]) == ("[4]", 2, "all")
    assert f"encoding {settings['encoding']}" in line


@pytest.mark.usefixtures("undrawn")
def test_built_in_pictures_keep_their_settings(tmp_path: Path) -> None:
    """A built-in picture such as the ring keeps its usual settings."""
    words = ["train", "ring", "--size", "16", "-o", str(tmp_path / "run"), "--epochs", "1"]
    assert main([*words, "--measure-folds", "0", "--no-audit", "--quiet"]) == 0
    settings = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert (settings["shape"], settings["encoding"]) == ("[10]*8", "none")

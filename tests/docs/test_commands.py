"""The commands and Python examples of README and docs run as they stand there.

Training is shortened in one way for all of them: networks are [6]*2, a training has at most 4
epochs of 48 points from a picture of at most 32 pixels, and draws no frames; numbers of later
epochs in a command become 4. After that a network may be worse than a command asks for: the refusal
that ends with "train on" is expected then, and the command runs without its goal.
What a page leaves open is filled in the same way everywhere: ``runs/...`` and ``RUN`` are the
newest run, ``TARGET`` and ``photo.jpg`` are a small photograph, a cluster is this machine, and of
alternatives the first one is taken.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import bitfold
from bitfold import recording, studio
from bitfold.cli.main import main
from bitfold.training import Config

ROOT = Path(__file__).parents[2]
MOST_EPOCHS = 4
SHORT: dict[str, int] = {"epochs": MOST_EPOCHS, "size": 32, "points": 48, "batch_size": 48}
COMMAND = re.compile(r"^ {4}(bitfold .*|draw-poly\S* .*)$", re.MULTILINE)


def pages() -> Iterator[Any]:
    """Return README and those pages of the docs that have commands of bitfold."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if commands_of(page):
            is_long = any(re.match("bitfold (frontier|sweep)", line) for line in commands_of(page))
            marks = [pytest.mark.slow] if is_long else []
            yield pytest.param(page, marks=marks, id=page.stem)


def commands_of(page: Path) -> list[str]:
    """Return the commands of a page in order; a continued line is one command."""
    text = page.read_text(encoding="utf-8").replace("\\\n", "")
    return [line.partition(" #")[0].strip() for line in COMMAND.findall(text)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a fresh folder with a photograph and two runs, in which trainings are short."""
    monkeypatch.chdir(tmp_path)
    check = Config.__post_init__

    def shorten(config: Config) -> None:
        for name, most in SHORT.items():
            given = getattr(config, name)
            if isinstance(given, int) or name == "points":
                least = min(given, most) if isinstance(given, int) else most
                object.__setattr__(config, name, least)
        object.__setattr__(config, "minutes", None)
        object.__setattr__(config, "validation_points", 24)
        object.__setattr__(config, "shape", "[6]*2")
        check(config)

    monkeypatch.setattr(Config, "__post_init__", shorten)

    def no_recorder(**_: Any) -> Any:
        return lambda event: None

    monkeypatch.setattr(recording, "Recorder", no_recorder)
    # A server does not end by itself; tests/studio covers it.
    monkeypatch.setattr(studio, "serve", lambda *_, **given: Config(**(given["begin"] or {})))
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    for name in ("photo.jpg", "photo.png"):
        Image.fromarray(pixels).resize((64, 48)).save(tmp_path / name)
    frames = [Image.fromarray(np.roll(pixels, shift, 1)) for shift in range(3)]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:], duration=100)
    return tmp_path


def filled_in(command: str, place: Path) -> list[str]:
    """Return the words of a command, with the page's placeholders filled in."""
    runs = sorted(place.glob("runs/*/config.toml"), key=lambda path: path.stat().st_mtime)
    newest = str(runs[-1].parent) if runs else "missing"
    text = command.replace("[options]", "").replace("[RUN ...]", "").replace("TARGET", "photo.jpg")
    text = re.sub(r"RUN(\|[A-Z]+)*(?=/|\s|$)", newest, text).replace("runs/...", newest)
    text = re.sub(r" --ray-address \S+", "", text)
    text = re.sub(r"(--epoch) \d+", rf"\1 {MOST_EPOCHS}", text)
    text = re.sub(r"epoch-\d+", f"epoch-{MOST_EPOCHS:09d}", text)
    return [re.sub(r"^(\w+\.\w+)\|.*", r"\1", word) for word in shlex.split(text)]


@pytest.mark.parametrize("page", list(pages()))
def test_the_commands_of_a_page_run_one_after_the_other(
    page: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command of a page exits with 0, in a folder with only a photograph and two runs."""
    assert main(["train", "ring", "-o", "runs/first", "--kolmogorov-weight", "0.01", "-q"]) == 0
    if any("CLIP" in command for command in commands_of(page)):
        assert main(["train", "clip.gif", "-o", "CLIP", "-q"]) == 0
    for command in commands_of(page):
        program, *words = filled_in(command, place)
        assert program == "bitfold", "the draw-poly programs have their own tests"
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr().err
        if said.endswith("Ask for less, or train on.\n"):
            code = main(words[:-2])
        assert code == 0, f"{command}\n{said}"


def blocks_of(page: Path) -> list[str]:
    """Return a page's Python examples that are no doctests."""
    found = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    return [block for block in found if not block.startswith(">>>")]


def test_the_python_of_the_readme_runs(place: Path) -> None:
    """README's Python runs, given the network, loss and three inputs that the page names."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 1))
    data = torch.rand(16, 2)
    names: dict[str, Any] = {
        "bitfold": bitfold, "torch": torch, "network": network,
        "task": lambda: network(data).square().mean(), "task_loss": network(data).square().mean(),
        "image_a": torch.tensor([0.0, 0.0]), "image_b": torch.tensor([1.0, 0.0]),
        "image_c": torch.tensor([0.0, 1.0]),
    }  # fmt: skip
    for block in blocks_of(ROOT / "README.md"):
        exec(block, names)  # noqa: S102 - the page's own code
    assert (place / "net.bitfold").stat().st_size < 4 * 25


@pytest.mark.parametrize(
    "name", ["guide", "frontier", "many-runs", pytest.param("distributed", marks=pytest.mark.slow)]
)
def test_the_python_of_a_page_runs(name: str, place: Path) -> None:
    """A page's Python runs unchanged, after the training whose folder the guide names."""
    folder = "runs/2026-11-22-120000-photo"
    assert main(["train", "photo.jpg", "-o", folder, "--kolmogorov-weight", "0.01", "-q"]) == 0
    for block in blocks_of(ROOT / "docs" / f"{name}.md"):
        exec(block, {})  # noqa: S102 - the page's own code
    assert list(place.glob("*/*/metrics.jsonl"))

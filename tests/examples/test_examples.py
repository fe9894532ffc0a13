"""The examples run unchanged, shorten their networks' descriptions and keep the task learned."""

from __future__ import annotations

import doctest
import functools
import gzip
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples"
PAGES = {"own-loop": 30, "sharded": 15, "small-models": 20}
EXAMPLES = sorted(FOLDER.glob("[0-9]*.py"))
LOOPS = [path for path in EXAMPLES if path.stem[:2] < "05"]
LIMIT_SECONDS = 300
#: Number of digits in the short runs.
NUM_SHORT = 1_000

#: For each example: the least compression against float32, and the least accuracy.
WORTH = {
    "01_mnist_convnet": (8.0, 0.97),
    "02_transformer": (8.0, 0.85),
    "03_lightning": (6.0, 0.93),
    "04_own_predictor": (7.0, 0.93),
}


def run(name: str, *options: str) -> str:
    """Run an example in a new process, as a user would, and return its output."""
    found = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), *options],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
        # On a busy machine two threads that wait for each other take many times as long as one.
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def number(pattern: str, text: str) -> float:
    """Return the number in a pattern's group."""
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1].replace(",", ""))


def load(name: str) -> ModuleType:
    """Import an example as a module."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def digits() -> ModuleType:
    """Return the examples' module that reads and draws digits."""
    return load("digits")


@pytest.fixture
def run_short(
    digits: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return a function that runs an example here on few digits and returns its output."""

    def run_here(name: str, *options: str, num_digits: int = NUM_SHORT, **replaced: object) -> str:
        few = functools.partial(digits.load_digits, num_drawn=num_digits)
        monkeypatch.syspath_prepend(FOLDER)
        monkeypatch.setitem(sys.modules, "digits", digits)
        monkeypatch.setattr(sys, "argv", [name, *options])
        module = load(name)
        for place, value in {"load_digits": few, **replaced}.items():
            monkeypatch.setattr(module, place, value, raising=False)
        capsys.readouterr()
        module.main()
        return capsys.readouterr().out

    return run_here


@pytest.mark.parametrize(
    ("name", "option", "most_of_before", "least_right"),
    [
        ("01_mnist_convnet", ("--epochs", "3"), 0.85, 0.85),
        ("02_transformer", ("--steps", "100"), 1.0, 0.4),
        pytest.param(
            *("03_lightning", ("--epochs", "3"), 0.95, 0.8),
            marks=pytest.mark.filterwarnings("ignore"),  # PyTorch warns of Lightning's calls
        ),
        pytest.param("04_own_predictor", ("--epochs", "2"), 0.7, 0.65, marks=pytest.mark.slow),
    ],
)
def test_a_short_training_shortens_the_description(
    run_short: Callable[..., str],
    name: str,
    option: tuple[str, str],
    most_of_before: float,
    least_right: float,
) -> None:
    """A few epochs on 1,000 digits run every step of an example and shorten the description."""
    printed = run_short(name, *option)
    before = number(r"before training: +([\d,]+) bytes", printed)
    after = number(r"after: +([\d,]+) bytes", printed)
    right = number(r"after: .* ([\d.]+)% right", printed) / 100
    assert after < most_of_before * before
    assert right > least_right


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.stem for path in LOOPS])
def test_the_description_gets_short_and_the_task_stays_learned(name: str) -> None:
    """The file is far shorter than float32, and the decoded network still performs the task."""
    printed = run(name)
    in_float32 = number(r"float32: +([\d,]+) bytes", printed)
    before = number(r"before training: +([\d,]+) bytes", printed)
    after = number(r"after: +([\d,]+) bytes", printed)
    right = number(r"after: .* ([\d.]+)% right", printed) / 100
    times, least_right = WORTH[name]
    assert after < 0.7 * before
    assert after * times < in_float32
    assert right > least_right


@pytest.mark.parametrize("path", LOOPS, ids=lambda path: path.stem)
def test_a_loop_needs_three_lines(path: Path) -> None:
    """Each example marks its three lines once, and no other training line uses K."""
    lines = path.read_text(encoding="utf-8").splitlines()
    marked = [line for line in lines if "# bitfold, " in line]
    assert sorted(line.split("# bitfold, ")[1] for line in marked) == [
        f"{part} of 3" for part in (1, 2, 3)
    ]
    assert sum("KolmogorovLoss(" in line for line in lines) == 1
    assert sum("kolmogorov()" in line for line in lines) == 1


def test_the_audit_example_tells_the_two_losses_apart(run_short: Callable[..., str]) -> None:
    """The audit names the line that cuts the first loss; the second loss reaches the network."""
    printed = run_short("05_audit", num_digits=4_000)
    lines = (FOLDER / "05_audit.py").read_text(encoding="utf-8").splitlines()
    cut = 1 + next(at for at, line in enumerate(lines) if "active = (hidden" in line)
    assert f"05_audit.py:{cut}" in printed
    assert printed.index("ok: False") < printed.index("ok: True")
    before = number(r"neurons: ([\d.]+)% before", printed)
    assert number(r"([\d.]+)% after", printed) < before / 2
    assert number(r"([\d.]+)% right", printed) > 85


@pytest.mark.slow
def test_a_narrow_cut_example_finds_and_draws_polytopes(
    run_short: Callable[..., str], tmp_path: Path
) -> None:
    """The cut example checks and draws the partition of a network of one channel."""
    path = tmp_path / "cut.png"
    printed = run_short("06_cut_through_digits", "--width", "1", "--output", str(path), EPOCHS=1)
    assert number(r"([\d,]+) polytopes, V - E \+ F = 1", printed) > 100
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_cut_example_finds_and_draws_thousands_of_polytopes(tmp_path: Path) -> None:
    """The cut example checks thousands of polytopes of an accurate network and draws a picture."""
    path = tmp_path / "cut.png"
    printed = run("06_cut_through_digits", "--output", str(path))
    assert number(r"([\d.]+)% right", printed) > 85
    assert number(r"([\d,]+) polytopes, V - E \+ F = 1", printed) > 1_000
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 100_000


def test_a_small_residual_network_goes_through_a_file(run_short: Callable[..., str]) -> None:
    """A residual network of the example's own blocks, a hundredth of the size, survives a file."""
    block = load("07_resnet18_file").Block

    def make_small() -> nn.Module:
        return nn.Sequential(block(3, 32, 2), block(32, 64, 2), nn.AvgPool2d(16), nn.Flatten())

    printed = run_short("07_resnet18_file", make_resnet18=make_small)
    in_float32 = number(r"float32: ([\d,]+) bytes", printed)
    assert number(r"file: ([\d,]+) bytes", printed) < in_float32 / 4
    assert number(r"differ by ([\d.]+) %", printed) < 10


@pytest.mark.slow
def test_the_resnet_goes_through_a_file() -> None:
    """The ResNet's file is below a quarter of float32, and the decoded network works as well."""
    printed = run("07_resnet18_file")
    in_float32 = number(r"float32: ([\d,]+) bytes", printed)
    assert number(r"file: ([\d,]+) bytes", printed) < in_float32 / 4
    assert number(r"differ by ([\d.]+) %", printed) < 10


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_examples_stay_short_and_are_listed(path: Path) -> None:
    """Each example has under 100 lines after its docstring, and the folder's page names it."""
    _, _, code = path.read_text(encoding="utf-8").split('"""', maxsplit=2)
    assert len(code.splitlines()) < 100
    assert path.name in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_the_pages_on_loops_run(page: str) -> None:
    """The pages on training loops have enough examples, and each prints the text that it shows."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    path = ROOT / "docs" / f"{page}.md"
    found = doctest.testfile(str(path), module_relative=False, optionflags=flags)
    assert found.attempted > PAGES[page]
    assert found.failed == 0


def write_idx(path: Path, data: torch.Tensor, magic: int | None = None, extra: bytes = b"") -> None:
    """Write an MNIST-format file with any bytes."""
    header = [0x800 + data.dim() if magic is None else magic, *data.shape]
    numbers = b"".join(item.to_bytes(4, "big") for item in header)
    with gzip.open(path, "wb") as file:
        file.write(numbers + bytes(data.flatten().tolist()) + extra)


def test_mnist_is_read_from_its_four_files(digits: ModuleType, tmp_path: Path) -> None:
    """Pictures become numbers from 0 to 1, and labels stay unchanged."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(256, (5, 28, 28), generator=generator)
    for part in ("train", "t10k"):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", pictures)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", torch.arange(5))
    found = digits.load_digits(tmp_path)
    assert torch.equal((found.pictures.squeeze(1) * 255).round().long(), pictures)
    assert found.test_labels.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("shape", "magic", "extra"),
    [
        ((5, 28, 28), 0x802, b""),
        ((5, 28, 27), None, b""),
        ((5, 28, 28), None, b"1"),
    ],
)
def test_other_files_are_refused(
    digits: ModuleType, tmp_path: Path, shape: tuple[int, ...], magic: int | None, extra: bytes
) -> None:
    """Files of another type, picture size or length than stated are refused."""
    path = tmp_path / "file.gz"
    write_idx(path, torch.zeros(shape, dtype=torch.uint8), magic, extra)
    with pytest.raises(SystemExit, match="Cannot read"):
        digits.read_idx(path, (28, 28))


def test_a_file_that_ends_early_is_refused(digits: ModuleType, tmp_path: Path) -> None:
    """A truncated file is refused, and no memory is allocated for the size that it claims."""
    path = tmp_path / "file.gz"
    for count in (3, 2**31):
        with gzip.open(path, "wb") as file:
            file.write(b"".join(one.to_bytes(4, "big") for one in (0x803, count, 28, 28)))
        with pytest.raises(SystemExit, match="Cannot read"):
            digits.read_idx(path, (28, 28))


def test_drawn_digits_are_the_same_each_time(digits: ModuleType) -> None:
    """Drawn digits come from their own seed, cover all ten classes and contain some noise."""
    first, second = (digits.load_digits(None, num_drawn=100) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert set(first.test_labels.tolist()) == set(range(10))
    assert not torch.equal(first.pictures[:50], first.test_pictures[:50])

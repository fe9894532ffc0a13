"""The examples run as they stand, make their networks short and leave the task learned."""

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
#: Digits of the short runs.
NUM_SHORT = 1_000

#: At least so many times shorter than float32, and so well learned, by name.
WORTH = {
    "01_mnist_convnet": (8.0, 0.97),
    "02_transformer": (8.0, 0.85),
    "03_lightning": (6.0, 0.93),
    "04_own_predictor": (7.0, 0.93),
}


def run(name: str, *options: str) -> str:
    """What an example prints, run as a stranger would."""
    found = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), *options],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
        # Two threads that wait for each other on a busy machine take many times as long as one.
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def number(pattern: str, text: str) -> float:
    """The number that stands at a pattern's group."""
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1].replace(",", ""))


def load(name: str) -> ModuleType:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def digits() -> ModuleType:
    """The examples' reader and drawer of digits."""
    return load("digits")


@pytest.fixture
def run_short(
    digits: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """A function that runs an example in this process, on few digits, and returns the output."""

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
            marks=pytest.mark.filterwarnings("ignore"),  # of what Lightning asks of PyTorch
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
    """A few epochs on 1,000 digits go the way that the whole example goes to its end."""
    printed = run_short(name, *option)
    before = number(r"before training: +([\d,]+) bytes", printed)
    after = number(r"after: +([\d,]+) bytes", printed)
    right = number(r"after: .* ([\d.]+)% right", printed) / 100
    assert after < most_of_before * before
    assert right > least_right


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.stem for path in LOOPS])
def test_the_description_gets_short_and_the_task_stays_learned(name: str) -> None:
    """Shorter than before training, far shorter than float32; what is decoded still works."""
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
    """They are marked, once each, and no other line before the results asks K for anything."""
    lines = path.read_text(encoding="utf-8").splitlines()
    marked = [line for line in lines if "# bitfold, " in line]
    assert sorted(line.split("# bitfold, ")[1] for line in marked) == [
        f"{part} of 3" for part in (1, 2, 3)
    ]
    assert sum("KolmogorovLoss(" in line for line in lines) == 1
    assert sum("kolmogorov()" in line for line in lines) == 1


def test_the_audit_example_tells_the_two_losses_apart(run_short: Callable[..., str]) -> None:
    """The first is cut, at the line that cuts it; the second reaches the network and works."""
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
    """One channel wide and after one epoch it is checked and drawn as the whole one is."""
    path = tmp_path / "cut.png"
    printed = run_short("06_cut_through_digits", "--width", "1", "--output", str(path), EPOCHS=1)
    assert number(r"([\d,]+) polytopes, V - E \+ F = 1", printed) > 100
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_cut_example_finds_and_draws_thousands_of_polytopes(tmp_path: Path) -> None:
    """They are checked, the network knows its digits, and the picture is one to look at."""
    path = tmp_path / "cut.png"
    printed = run("06_cut_through_digits", "--output", str(path))
    assert number(r"([\d.]+)% right", printed) > 85
    assert number(r"([\d,]+) polytopes, V - E \+ F = 1", printed) > 1_000
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 100_000


def test_a_small_residual_network_goes_through_a_file(run_short: Callable[..., str]) -> None:
    """The example's own blocks, in a network of one hundredth of the weights."""
    block = load("07_resnet18_file").Block

    def make_small() -> nn.Module:
        return nn.Sequential(block(3, 32, 2), block(32, 64, 2), nn.AvgPool2d(16), nn.Flatten())

    printed = run_short("07_resnet18_file", make_resnet18=make_small)
    in_float32 = number(r"float32: ([\d,]+) bytes", printed)
    assert number(r"file: ([\d,]+) bytes", printed) < in_float32 / 4
    assert number(r"differ by ([\d.]+) %", printed) < 10


@pytest.mark.slow
def test_the_resnet_goes_through_a_file() -> None:
    """Of a quarter of its size in float32, and what is read works as what was written."""
    printed = run("07_resnet18_file")
    in_float32 = number(r"float32: ([\d,]+) bytes", printed)
    assert number(r"file: ([\d,]+) bytes", printed) < in_float32 / 4
    assert number(r"differ by ([\d.]+) %", printed) < 10


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_examples_stay_short_and_are_listed(path: Path) -> None:
    """Under a hundred lines each after the head of its page, and named on the folder's page."""
    _, _, code = path.read_text(encoding="utf-8").split('"""', maxsplit=2)
    assert len(code.splitlines()) < 100
    assert path.name in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_the_pages_on_loops_run(page: str) -> None:
    """Each prints what stands there; so many there are at least."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    path = ROOT / "docs" / f"{page}.md"
    found = doctest.testfile(str(path), module_relative=False, optionflags=flags)
    assert found.attempted > PAGES[page]
    assert found.failed == 0


def write_idx(path: Path, data: torch.Tensor, magic: int | None = None, extra: bytes = b"") -> None:
    """A file as MNIST's are, of any bytes."""
    header = [0x800 + data.dim() if magic is None else magic, *data.shape]
    numbers = b"".join(item.to_bytes(4, "big") for item in header)
    with gzip.open(path, "wb") as file:
        file.write(numbers + bytes(data.flatten().tolist()) + extra)


def test_mnist_is_read_from_its_four_files(digits: ModuleType, tmp_path: Path) -> None:
    """Pictures become numbers 0 to 1, labels stay what they are."""
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
    """Of another sort, of pictures of another size, or longer than they say."""
    path = tmp_path / "file.gz"
    write_idx(path, torch.zeros(shape, dtype=torch.uint8), magic, extra)
    with pytest.raises(SystemExit, match="Cannot read"):
        digits.read_idx(path, (28, 28))


def test_a_file_that_ends_early_is_refused(digits: ModuleType, tmp_path: Path) -> None:
    """Also one that claims to be huge: nothing is made of a size that was only claimed."""
    path = tmp_path / "file.gz"
    for count in (3, 2**31):
        with gzip.open(path, "wb") as file:
            file.write(b"".join(one.to_bytes(4, "big") for one in (0x803, count, 28, 28)))
        with pytest.raises(SystemExit, match="Cannot read"):
            digits.read_idx(path, (28, 28))


def test_drawn_digits_are_the_same_each_time(digits: ModuleType) -> None:
    """From a seed of their own, whatever was drawn before; all ten of them, with some noise."""
    first, second = (digits.load_digits(None, num_drawn=100) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert set(first.test_labels.tolist()) == set(range(10))
    assert not torch.equal(first.pictures[:50], first.test_pictures[:50])

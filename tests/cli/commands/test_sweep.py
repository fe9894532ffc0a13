"""`bitfold sweep`: its output, exit codes and refusals."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from bitfold import load_sweep
from bitfold.cli.console.sweeps.sweep_progress import SweepProgress
from bitfold.cli.main import main
from bitfold.experiments import (
    Member,
    MemberAdvanced,
    MemberEnd,
    MemberEnded,
    MemberStarted,
    SweepStarted,
)
from bitfold.training import read_config

SMALL = [
    "--size", "16", "--shape", "[3]", "--points", "60", "--validation-points", "20",
    "--batch-size", "60", "--epochs", "2", "--measure-folds", "0", "--no-audit",
    "--save-interval", "1000",
]  # fmt: skip
SWEEP = ["sweep", "disk", *SMALL, "--vary", "seed=0:2", "--vary", "learning-rate=0.001,0.01"]


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a sweep of four members and keep its log."""
    folder = tmp_path_factory.mktemp("sweep") / "sweep"
    log = folder.parent / "log.txt"
    assert main([*SWEEP, "-o", str(folder), "--log-file", str(log), "--quiet"]) == 0
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """Return a copy of the sweep, which a test may change."""
    return Path(shutil.copytree(trained_once, tmp_path / "sweep"))


def test_each_member_has_a_row_and_a_line_of_the_log(trained_once: Path) -> None:
    """Each member has a row in the CSV table and a line in the log."""
    rows = list(csv.DictReader(io.StringIO((trained_once / "sweep.csv").read_text())))
    assert [(row["seed"], row["learning_rate"]) for row in rows] == [
        ("0", "0.001"), ("0", "0.01"), ("1", "0.001"), ("1", "0.01"),
    ]  # fmt: skip
    log = (trained_once.parent / "log.txt").read_text()
    assert all(f"{row['member']}: completed, 2 epochs" in log for row in rows)


def test_the_folder_alone_goes_on_and_further_values_extend(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sweep's folder alone continues the sweep; more values add members, with a line for each."""
    assert main(["sweep", "-o", str(trained)]) == 0
    assert "0 of 4 members to train" in capsys.readouterr().out
    assert main(["sweep", "-o", str(trained), "--vary", "seed=2"]) == 0
    said = capsys.readouterr().out
    assert "1 of 5 members to train, 1 at a time" in said
    assert "[1/1] seed-2-learning_rate-0.001: completed, 2 epochs" in said
    assert "5 members: 5 completed" in said


def test_the_exit_code_tells_whether_all_are_done(tmp_path: Path) -> None:
    """The exit code is 0 only if all members are done; a member that cannot be trained is not."""
    words = ["sweep", *SMALL, "--vary", "target=disk,none.png", "-o", str(tmp_path / "sweep")]
    assert main([*words, "--quiet"]) == 1
    found = load_sweep(tmp_path / "sweep")
    assert found.table["status"] == ["completed", "error"]
    assert "none.png" in found.table["reason"][1]


def test_members_with_k_get_the_predictor_of_train(tmp_path: Path) -> None:
    """Members with K get the predictor that `train` chooses, also if lambda is varied."""
    folder = tmp_path / "sweep"
    words = ["sweep", "disk", *SMALL, "--no-files", "--kolmogorov-targets", "linear"]
    assert main([*words, "--vary", "kolmogorov-weight=0,0.01", "-o", str(folder), "-q"]) == 0
    config = read_config(folder / "lambda-0.01" / "config.toml")
    assert config.kolmogorov_predictor == "row_column"
    assert not list(folder.glob("*.bitfold"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ring"], "without members"),
        (["ring", "--vary", "seed=0:10000000"], "10,000,000 members"),
        (["ring", "--vary", "seed=3:3"], "values for --seed, got none"),
        (["ring", "--vary", "lambda=1"], "Did you mean 'kolmogorov_weight'"),
        (["ring", "--vary", "seed=1", "--vary", "seed=2"], "Cannot vary --seed twice"),
        (["ring", "--vary", "seed=1", "--seed", "2"], "Leave the option out"),
        (["ring", "--vary", "kolmogorov_bins=1"], "at least 2"),
        (["ring", "--vary", "seed=1", "--part", "3/2"], "1 <= i <= n"),
        (["ring", "--vary", "seed=1", "--part", "half"], "I/N"),
        (["ring", "--vary", "seed=1", "--jobs", "0"], "from 1 to"),
        (["ring", "--merge", "a", "-o", "b"], "--merge alone"),
        (["--merge", "a"], "with -o"),
        (["--merge", "a", "-o", "b"], "Cannot load the sweep"),
        (["ring", "--plan", "none.csv"], "No such file"),
    ],
)
def test_nonsense_is_refused_in_one_line(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Each bad argument is refused in one line with exit code 2, and no file is written."""
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.rglob("*.json")) == []


def test_another_setting_is_refused_by_its_option(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the option of another setting, and the record stays unchanged."""
    before = (trained / "sweep.json").read_bytes()
    assert main(["sweep", "-o", str(trained), "--epochs", "3", "--vary", "seed=0"]) == 2
    assert "expected --epochs 2 as it was begun with, got 3" in capsys.readouterr().err
    assert main(["sweep", "-o", str(trained), "--epochs", "3"]) == 2
    assert (trained / "sweep.json").read_bytes() == before


def test_the_live_table_tells_how_far_the_sweep_is() -> None:
    """The live table shows done, running and failed members, the time left and the best result."""
    now = [0.0]
    console = RichConsole(file=io.StringIO(), force_terminal=True, width=90)
    a, b, c = (Member(name, {}) for name in "abc")
    with SweepProgress(console, clock=lambda: now[0]) as progress:
        progress(SweepStarted(Path("sweep"), 3, 3, 2))
        for member in (a, b):
            progress(MemberStarted(member))
        progress(MemberEnded(a, MemberEnd("completed", num_bytes=99, error=0.01, psnr_db=20.0)))
        progress(MemberStarted(c))
        progress(MemberAdvanced(b, 50, 100))
        now[0] = 30.0
        assert progress.line() == "1 of 3 members done, 2 running, 0:30 left"
        progress(MemberEnded(c, MemberEnd("finite", "a loss is not finite")))
        assert progress.line() == "2 of 3 members done, 1 running, 1 failed, 0:06 left"
        shown = RichConsole(file=io.StringIO(), width=90)
        shown.print(progress.table())
        assert isinstance(shown.file, io.StringIO)
        text = shown.file.getvalue()
        assert "50/100" in text
        assert "best so far: a: completed" in text

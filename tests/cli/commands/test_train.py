"""`bitfold train` and `resume`: the files they leave and the lines they print."""

import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from bitfold.cli.main import main
from bitfold.training import Config, load_run
from tests.cli.command_runs import SMALL, nothing_drawn, num_video_frames


def test_train_leaves_everything(trained: Path) -> None:
    """The folder holds configuration, metrics, checkpoints, frames, video and plot."""
    assert num_video_frames(trained / "video.mp4") == 3
    assert len(list((trained / "snapshots").glob("frame-*.png"))) == 3
    for name in ("config.toml", "metrics.jsonl", "last_frame.png", "loss.png", "run.json"):
        assert (trained / name).stat().st_size > 0
    settings = tomllib.loads((trained / "config.toml").read_text())
    assert settings["shape"] == "[6]*2"
    assert settings["kolmogorov_weight"] == 0.01


def test_log_has_a_line_an_epoch_with_the_parts(trained: Path) -> None:
    """Each epoch's line holds combined, task, lambda*K and validation loss, and they add up."""
    lines = (trained.parent / "log.txt").read_text().splitlines()
    epochs = [line for line in lines if ": combined" in line]
    assert len(epochs) == 4
    metrics = load_run(trained).metrics
    words = epochs[-1].split()
    combined = float(words[words.index("combined") + 1])
    task = float(words[words.index("task") + 1])
    weighted = float(words[words.index("lambda*K") + 1])
    assert combined == pytest.approx(metrics["combined_loss"][-1], abs=1e-5)
    assert combined == pytest.approx(task + weighted, abs=2e-5)
    assert "validation" in words


def test_output_without_a_terminal_is_plain_lines(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no terminal a resumed run prints lines without control characters."""
    with nothing_drawn():
        assert main(["resume", str(trained), "--epochs", "6"]) == 0
    out = capsys.readouterr().out
    assert "epoch 6/6: combined" in out
    assert "\x1b" not in out
    assert len(load_run(trained).metrics["epoch"]) == 6


def test_quiet_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With ``--quiet`` a run that succeeds is silent."""
    arguments = ["train", "disk", "--size", "16", "-o", str(tmp_path / "run"), "--quiet", *SMALL]
    with nothing_drawn():
        assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == ""


@pytest.mark.skipif(os.name != "posix", reason="SIGINT to a child needs POSIX")
def test_interrupt_saves_and_exits_with_130(tmp_path: Path) -> None:
    """Ctrl-C ends cleanly: the state is saved, the video plays, the exit code is 130."""
    path = tmp_path / "run"
    arguments = ["train", "ring", "--size", "32", "--frame-size", "64", *SMALL, "-o", str(path)]
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bitfold",
            *arguments,
            "--epochs",
            "10000000",
            "--save-interval",
            "1000",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    metrics = path / "metrics.jsonl"
    while child.poll() is None and not (metrics.exists() and metrics.stat().st_size > 2000):
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    run = load_run(path)
    assert run.status["status"] == "interrupted"
    assert num_video_frames(path / "video.mp4") == len(run.frame_epochs())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--kolmogorov-weight", "0.01"], "row_column"),
        (["--kolmogorov-weight", "0.01", "--kolmogorov-range", "auto"], "row_column"),
        (["--kolmogorov-weight", "0.01", "--kolmogorov-predictor", "coordinate"], "coordinate"),
        (["--kolmogorov-weight", "0.01", "--kolmogorov-shape", "[4]"], "coordinate"),
        ([], None),
    ],
)
def test_a_run_with_k_takes_the_predictor_of_the_shortest_descriptions(
    options: list[str], expected: str | None, tmp_path: Path
) -> None:
    """A run with K records the predictor of the shortest description, unless options name one."""
    folder = tmp_path / "run"
    small = ["--size", "16", "--shape", "[4]", "--epochs", "1", "--snapshot-format", "none"]
    with nothing_drawn():
        assert main(["train", "ring", *small, *options, "-q", "-o", str(folder)]) == 0
    written = tomllib.loads((folder / "config.toml").read_text())
    assert written.get("kolmogorov_predictor") == expected


def test_the_draw_poly_programs_keep_the_coordinate_predictor() -> None:
    """A draw-poly program without predictor options uses the coordinate predictor."""
    assert Config(kolmogorov_weight=0.01).kolmogorov.predictor == "coordinate"

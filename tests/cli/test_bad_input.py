"""Bad input on the command line gives one line, exit code 2 and no half-written file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitfold.cli.main import main
from bitfold.cli.programs import draw_poly_classifier, draw_poly_while_training
from bitfold.training import Config, train


def refuse(
    capsys: pytest.CaptureFixture[str], arguments: list[str], program: Callable[..., int] = main
) -> str:
    """Run a program that must refuse, and return the one line that it prints."""
    try:
        code = program(arguments)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    captured = capsys.readouterr()
    assert code == 2, captured
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert "Traceback" not in captured.err
    return captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ring", "--shape", "[10]**8"], "character 6"),
        (["ring", "--shape", "[10]*999999999999"], "shape"),
        (["ring", "--shape", "__import__('os').system('true')"], "shape"),
        (["ring", "--size", "16", "--points", "5000"], "256"),
        (["ring", "--size", "3"], "--size"),
        (["ring", "--epochs", "many"], "'many'"),
        (["ring", "--epochs", "0"], "at least 1"),
        (["ring", "--kolmogorov-bins", "1"], "at least 2"),
        (["ring", "--kolmogorov-weight-min", "3"], "less than"),
        (["ring", "--kolmogorov-temperature", "0"], "more than 0"),
        (["ring", "--kolmogorov-weight=-0.1"], "at least 0"),
        (["ring", "--kolmogorov-weight", "nan"], "finite"),
        (["ring", "--kolmogorov-weight", "lots"], "'mdl' or 'bits:N'"),
        (["ring", "--kolmogorov-weight", "bits:few"], "whole number after bits:"),
        (["ring", "--kolmogorov-weight", "bits:0"], "at least 1 after bits:"),
        (
            [
                *["ring", "--size", "32", "--kolmogorov-weight", "bits:12970"],
                *["--kolmogorov-predictor", "coordinate"],
            ],
            "the 12,970 bits",
        ),
        (["ring", "--kolmogorov-weight", "mdl", "--kolmogorov-loss-type", "mse"], "in nats"),
        (["ring", "--kolmogorov-noise-std", "0"], "more than 0"),
        (["ring", "--kolmogorov-warmup=-1"], "at least 0"),
        (["ring", "--kolmogorov-every", "0"], "at least 1"),
        (["ring", "--kolmogorov-targets", "hard"], "one of soft, linear, noise"),
        (["ring", "--kolmogorov-range", "wide"], "one of fixed, auto"),
        (["ring", "--kolmogorov-predictor", "none"], "one of coordinate"),
        (
            ["ring", "--kolmogorov-quantise", "learned", "--kolmogorov-weight", "0"],
            "--kolmogorov-weight to be a weight",
        ),
        (["ring", "--kolmogorov-targets", "rounded"], "expected --kolmogorov-quantise learned"),
        (["ring", "--learning-rate", "inf"], "finite"),
        (["ring", "--save-interval", "geometric:0"], "geometric"),
        (["ring", "--slice-times=0,2"], "-0.5 to 0.5"),
        (["ring", "--slice-times", "noon"], "noon"),
        (["ring", "--optimizer", "adagrad"], "one of adam"),
        (["ring", "--device", "abacus"], "--device"),
        (["ring", "--no-watchdog", "cat"], "one of finite"),
        (["ring", "--epochs", "3", "--nonsense"], "nonsense"),
        (["rign"], "ring"),
        (["missing.png"], "missing.png"),
        (["text:"], "text"),
        (["--config", "missing.toml"], "missing.toml"),
    ],
)
def test_train_refuses(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each wrong value is named in one line, and no folder is left behind."""
    monkeypatch.chdir(tmp_path)
    assert said in refuse(capsys, ["train", *arguments])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.png", b""),
        ("words.png", b"this is no picture"),
        ("truncated.png", None),
    ],
)
def test_train_refuses_files_that_are_no_pictures(
    name: str,
    content: bytes | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An empty, foreign or truncated file is named."""
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-900] if content is None else content)
    monkeypatch.chdir(tmp_path)
    assert name in refuse(capsys, ["train", str(path)])
    assert [item.name for item in tmp_path.iterdir()] == [name]


def test_train_refuses_one_colour(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture of one colour has no classes to tell apart."""
    path = tmp_path / "blue.png"
    Image.new("RGB", (16, 16), (0, 0, 255)).save(path)
    refuse(capsys, ["train", str(path), "--task", "classification", "-o", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()


def test_train_names_unknown_settings_in_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt name in a configuration file is named with the nearest known one."""
    path = tmp_path / "wrong.toml"
    path.write_text('epcohs = 3\ntarget = "ring"\n')
    assert "'epochs'" in refuse(capsys, ["train", "--config", str(path)])


def test_train_refuses_an_occupied_or_unwritable_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that holds a run is kept, and one that cannot be made is named."""
    config = Config(target="ring", size=16, shape="[2]", epochs=1, output_dir=str(tmp_path / "run"))
    run = train(config)
    before = (run.path / "metrics.jsonl").read_bytes()
    assert "--overwrite" in refuse(capsys, ["train", "ring", "-o", str(run.path)])
    assert (run.path / "metrics.jsonl").read_bytes() == before
    file = tmp_path / "file"
    file.touch()
    assert str(file) in refuse(capsys, ["train", "ring", "-o", str(file / "run")])


@pytest.mark.parametrize("command", ["resume", "render", "plot", "audit"])
def test_commands_on_runs_refuse_other_folders(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without a run is named."""
    assert str(tmp_path) in refuse(capsys, [command, str(tmp_path)])


def test_resume_refuses_what_would_be_another_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``resume`` has no options for settings that identify a run."""
    assert "--shape" in refuse(capsys, ["resume", str(tmp_path), "--shape", "[3]"])


@pytest.mark.parametrize("program", [draw_poly_while_training.main, draw_poly_classifier.main])
def test_draw_poly_programs_refuse_in_one_line(
    program: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The two programs report missing or wrong arguments as ``bitfold`` does."""
    assert "--input" in refuse(capsys, [], program)
    assert "none.png" in refuse(capsys, ["-i", str(tmp_path / "none.png")], program)
    assert "--resume" in refuse(capsys, ["-i", "ring", "--resume-lr", "0.1"], program)
    assert "no run" in refuse(capsys, ["--resume", str(tmp_path)], program)


def test_debug_shows_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With ``--debug`` the traceback of an error is printed too."""
    monkeypatch.chdir(tmp_path)
    assert main(["train", "nothing.png", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err

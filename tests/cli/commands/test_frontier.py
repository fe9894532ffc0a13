"""`bitfold frontier`: a curve of networks, stopped and continued at will."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from bitfold.cli.main import main
from bitfold.model_file import read_model
from bitfold.targets import load_target
from bitfold.training import load_run

SMALL = [
    "--size", "16", "--shape", "[6]*2", "--points", "100", "--validation-points", "40",
    "--batch-size", "50", "--epochs", "30", "--save-interval", "1000", "--checkpoint-interval",
    "5", "--measure-folds", "0", "--no-audit", "--threads", "1",
]  # fmt: skip
CURVE = ["frontier", "ring", *SMALL, "--lambdas", "0.001,0.05", "--seeds", "0,1"]


def content(folder: Path) -> dict[str, Any]:
    """Return the content of the record."""
    found: dict[str, Any] = json.loads((folder / "frontier.json").read_text())
    return found


def results(folder: Path) -> dict[str, bytes]:
    """Return the record and the model files, which contain neither times nor paths."""
    paths = [folder / "frontier.json", *folder.glob("*.bitfold"), folder / "frontier.png"]
    return {path.name: path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a curve without interruption."""
    folder = tmp_path_factory.mktemp("frontier") / "curve"
    assert main([*CURVE, "-o", str(folder), "--quiet"]) == 0
    return folder


def test_each_point_is_a_file_and_the_error_of_what_it_decodes_to(curve: Path) -> None:
    """Each record's bytes and errors are those of the model file beside it."""
    found = content(curve)
    assert (found["format"], found["version"]) == ("bitfold frontier", 1)
    assert found["kolmogorov_weights"] == [0.001, 0.05]
    target = load_target("ring", size=16)
    points = torch.from_numpy(target.grid.coordinates(target.usable))
    wanted = target.values(target.usable)
    assert len(found["points"]) == 4
    for point in found["points"]:
        path = curve / point["file"]
        assert path.stat().st_size == point["num_bytes"]
        with torch.no_grad():
            outputs = read_model(path)(points).numpy()
        error = float(np.square(outputs.reshape(wanted.shape) - wanted).mean())
        assert point["error"] == pytest.approx(error, rel=1e-5)
        assert point["psnr_db"] == pytest.approx(-10 * np.log10(error), rel=1e-5)
        run = load_run(curve / point["run"])
        assert run.config.kolmogorov_weight == point["kolmogorov_weight"]
        assert run.config.kolmogorov_quantise == "learned"
        assert run.metrics["description_bits"][-1] == point["description_bits"]
    assert sum(point["is_best"] for point in found["points"]) == 1


def test_a_curve_is_drawn_and_printed(curve: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table has a row for each network by rising size, and two figures show the same curve."""
    assert main(["frontier", "-o", str(curve)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["lambda", "seed", "bytes", "PSNR"]
    sizes = [int(line.split()[2].replace(",", "")) for line in lines[1:5]]
    assert sizes == sorted(point["num_bytes"] for point in content(curve)["points"])
    assert sum("best" in line for line in lines[1:5]) == 1
    with Image.open(curve / "frontier.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 10
    ElementTree.parse(curve / "frontier.svg")
    assert "λ 0.05" in (curve / "frontier.svg").read_text(encoding="utf-8")


def test_what_is_trained_is_not_trained_again_and_more_is_added(
    curve: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Adding a lambda trains only that lambda's networks, with the recorded settings."""
    folder = tmp_path / "curve"
    assert main([*CURVE[:-1], "0", "-o", str(folder), "--quiet"]) == 0
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("metrics.jsonl")}
    assert len(before) == 2
    capsys.readouterr()
    assert main(["frontier", "-o", str(folder), "--lambdas", "0.01"]) == 0
    assert "[1/1] lambda 0.01, seed 0" in capsys.readouterr().out
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in before.items())
    found = content(folder)
    assert found["kolmogorov_weights"] == [0.001, 0.05, 0.01]
    both = {p["run"]: p["num_bytes"] for p in content(curve)["points"]}
    assert all(both.get(p["run"], p["num_bytes"]) == p["num_bytes"] for p in found["points"])


def started(folder: Path) -> subprocess.Popen[str]:
    """Start the command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "bitfold", *CURVE, "-o", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip


def wait_for(folder: Path, run: str, num_epochs: int, process: subprocess.Popen[str]) -> None:
    """Wait until a run of the curve has finished a number of epochs."""
    path, start = folder / run / "metrics.jsonl", time.monotonic()
    while time.monotonic() < start + 60 and process.poll() is None:
        if path.exists() and path.read_bytes().count(b"\n") >= num_epochs:
            return
        time.sleep(0.002)


@pytest.mark.parametrize(
    ("run", "epochs"),
    [
        pytest.param("lambda-0.05-seed-0", 13, marks=pytest.mark.slow),
        pytest.param("lambda-0.001-seed-0", 1, marks=pytest.mark.slow),
    ],
)
def test_a_curve_that_is_killed_ends_as_one_never_interrupted(
    curve: Path, tmp_path: Path, run: str, epochs: int
) -> None:
    """A killed curve continues to the same bytes and trains no finished run again."""
    folder = tmp_path / "curve"
    process = started(folder)
    wait_for(folder, run, epochs, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(content(folder)["points"]) < 4
    assert main([*CURVE, "-o", str(folder), "--quiet"]) == 0
    assert results(folder) == results(curve)


@pytest.mark.slow
def test_an_interrupt_ends_with_a_word_on_how_to_go_on(curve: Path, tmp_path: Path) -> None:
    """An interrupt exits with 130 and prints, without a traceback, the command that continues."""
    folder = tmp_path / "curve"
    process = started(folder)
    wait_for(folder, "lambda-0.05-seed-0", 2, process)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == ""
    assert f"Interrupted: 3 of 4 networks are left. Go on with: bitfold frontier -o {folder}" in out
    assert main(["frontier", "-o", str(folder), "--quiet"]) == 0
    assert results(folder) == results(curve)


def test_a_kill_between_training_and_record_costs_no_training(curve: Path, tmp_path: Path) -> None:
    """A completed run that the record lacks is measured, not trained again."""
    folder = tmp_path / "curve"
    shutil.copytree(curve, folder)
    found = content(folder)
    lost = found["points"].pop()
    (folder / "frontier.json").write_text(json.dumps(found))
    (folder / lost["file"]).unlink()
    before = (folder / lost["run"] / "metrics.jsonl").read_bytes()
    assert main(["frontier", "-o", str(folder), "--quiet"]) == 0
    assert (folder / lost["run"] / "metrics.jsonl").read_bytes() == before
    assert results(folder) == results(curve)


def test_a_run_that_a_watchdog_ends_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that a watchdog ends has no file, is not on the front, and is not trained again."""
    stuck = ["--shape", "[1]*6", "--activation", "relu", "--learning-rate", "1e-9"]
    command = ["frontier", "ring", *SMALL, *stuck, "--epochs", "100", "--lambdas", "0.01"]
    for _ in range(2):
        assert main([*command, "-o", str(tmp_path / "curve")]) == 0
        out = capsys.readouterr().out
        assert "no file: ended by " in out
    assert "[1/1]" not in out
    (point,) = content(tmp_path / "curve")["points"]
    assert point["num_bytes"] is None
    assert not (tmp_path / "curve" / "frontier.png").exists()


def test_lengths_and_weights_that_are_not_learned_make_a_curve_too(tmp_path: Path) -> None:
    """Lambdas of the form bits:N, classes, and K without learned steps each give a curve."""
    folder = tmp_path / "curve"
    command = ["frontier", "rgb-ring", *SMALL, "--lambdas", "bits:900,0.01", "-o", str(folder)]
    plain = ["--kolmogorov-quantise", "none", "--kolmogorov-predictor", "row_column"]
    assert main([*command, *plain, "--kolmogorov-range", "auto", "--error", "1", "-q"]) == 0
    points = content(folder)["points"]
    assert [point["run"] for point in points] == ["bits-900-seed-0", "lambda-0.01-seed-0"]
    assert all(point["psnr_db"] is None and 0 <= point["error"] <= 1 for point in points)
    best = min(points, key=lambda point: point["num_bytes"])
    assert best["is_best"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lambdas", "0"], "numbers above 0"),
        (["--lambdas=-0.1"], "numbers above 0"),
        (["--lambdas", "0.1,,0.2"], "numbers above 0"),
        (["--lambdas", "nan"], "numbers above 0"),
        (["--lambdas", "0.1:0.01:3"], "0 < FROM < TO"),
        (["--lambdas", "0.1:1:1"], "2 to 1000"),
        (["--lambdas", "bits:few"], "whole number after bits:"),
        (["--seeds", "1.5"], "whole numbers"),
        (["--seeds", "1,,2"], "whole numbers"),
        (["--bytes", "0"], "at least 1"),
        (["--psnr", "nan"], "expected a finite number"),
        (["--error=-1"], "at least 0"),
        (["--psnr", "20", "--bytes", "9"], "not allowed with"),
        (["--kolmogorov-range", "fixed"], "--kolmogorov-range to be auto"),
        (["--epochs", "0"], "at least 1"),
        (["--shape", "[10"], "shape"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_nonsense_is_refused_in_a_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """Invalid arguments exit with code 2 and create no folder."""
    folder = tmp_path / "curve"
    try:
        code = main(["frontier", "ring", "--size", "16", *arguments, "-o", str(folder)])
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    captured = capsys.readouterr()
    assert code == 2
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert not folder.exists()


def test_a_wrong_picture_or_question_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing picture, or decibels for classes, creates no folder."""
    folder = tmp_path / "curve"
    assert main(["frontier", str(tmp_path / "no.png"), "-o", str(folder)]) == 2
    assert main(["frontier", "rgb-ring", "--size", "16", "--psnr", "20", "-o", str(folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert not folder.exists()


def test_another_setting_or_a_run_in_its_place_is_refused(
    curve: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another setting, or a run in the curve's folder, is refused."""
    before = results(curve)
    assert main(["frontier", "-o", str(curve), "--epochs", "31"]) == 2
    assert "expected --epochs 30 as it was begun with, got 31" in capsys.readouterr().err
    assert main(["frontier", "disk", "-o", str(curve)]) == 2
    assert "--target" in capsys.readouterr().err
    assert main(["frontier", "ring", "-o", str(curve / "lambda-0.05-seed-0")]) == 2
    assert "got a run's" in capsys.readouterr().err
    assert results(curve) == before

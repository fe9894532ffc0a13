"""The programs do what they say: train, resume, render, plot, demo, and the two older ones."""

import os
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from bitfold.cli.commands.demo import DEMO, demo_config
from bitfold.cli.main import main
from bitfold.cli.programs import draw_poly_classifier, draw_poly_while_training
from bitfold.cli.programs.draw_poly import find_run
from bitfold.errors import RunError
from bitfold.training import load_run

SMALL = [
    "--shape", "[6]*2", "--epochs", "4", "--batch-size", "128", "--save-interval", "2",
    "--checkpoint-interval", "2", "--seed", "3",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train once through the command line."""
    path = tmp_path_factory.mktemp("train") / "run"
    arguments = ["train", "ring", "--size", "32", "--kolmogorov-weight", "0.01", *SMALL]
    log = path.parent / "log.txt"
    assert main([*arguments, "-o", str(path), "--frame-size", "64", "--log-file", str(log)]) == 0
    return path


def num_video_frames(path: Path) -> int:
    """Decode a video and count its frames."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


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
    assert main(["resume", str(trained), "--epochs", "6"]) == 0
    out = capsys.readouterr().out
    assert "epoch 6/6: combined" in out
    assert "\x1b" not in out
    assert len(load_run(trained).metrics["epoch"]) == 6


def test_quiet_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With ``--quiet`` a run that succeeds is silent."""
    arguments = ["train", "disk", "--size", "16", "-o", str(tmp_path / "run"), "--quiet", *SMALL]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_render_draws_again_otherwise(trained: Path, tmp_path: Path) -> None:
    """Other sizes, windows and single epochs go elsewhere and leave the run's own frames alone."""
    before = (trained / "video.mp4").read_bytes()
    output = tmp_path / "other"
    window = ["--window", "-0.1", "-0.1", "0.1", "0.1"]
    assert main(["render", str(trained), "--frame-size", "96", "-o", str(output), *window]) == 0
    assert num_video_frames(output / "video.mp4") >= 3
    single = tmp_path / "one.png"
    arguments = ["--epoch", "2", "--layout", "folds", "--frame-size", "100", "-o", str(single)]
    assert main(["render", str(trained), *arguments]) == 0
    with Image.open(single) as picture:
        assert picture.size == (100, 100)
    assert (trained / "video.mp4").read_bytes() == before


def test_render_completes_what_is_missing(trained: Path) -> None:
    """Without options the run's own video and frames are made if they are gone."""
    (trained / "video.mp4").unlink()
    next((trained / "snapshots").iterdir()).unlink()
    assert main(["render", str(trained), "--quiet"]) == 0
    moments = len(list((trained / "snapshots").glob("frame-*.png")))
    assert num_video_frames(trained / "video.mp4") == moments


def test_plot_of_several_runs(trained: Path, tmp_path: Path) -> None:
    """Several runs go into one figure, PNG or SVG by its name."""
    figure = tmp_path / "losses.svg"
    assert main(["plot", str(trained), str(trained), "-o", str(figure)]) == 0
    assert "<svg" in figure.read_text()[:2000]


def test_plot_of_folds(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one run into its folder, of several into a file by name; a slip is one line."""
    assert main(["plot", str(trained), "--what", "folds"]) == 0
    assert capsys.readouterr().out.strip() == str(trained / "folds.png")
    with Image.open(trained / "folds.png") as picture:
        assert picture.width > 1500
    figure = tmp_path / "folds.svg"
    assert main(["plot", str(trained), str(trained), "--what", "folds", "-o", str(figure)]) == 0
    assert "pattern flips" in figure.read_text()
    with pytest.raises(SystemExit, match="2"):
        main(["plot", str(trained), "--what", "fold"])


def test_the_demo_ends_with_a_ring_in_some_hundred_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It trains with K and learned steps, at the seed that is asked for, and says how to go on."""
    config = demo_config(4, str(tmp_path))
    assert (config.target, config.seed, config.kolmogorov.is_quantised) == ("ring", 4, True)
    assert config.has_kolmogorov
    short = {"size": 32, "epochs": 20, "shape": "[6]*2", "points": 100, "validation_points": 50}
    monkeypatch.setattr("bitfold.cli.commands.demo.DEMO", {**DEMO, **short})
    assert main(["demo", "--output-dir", str(tmp_path / "run")]) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    path = tmp_path / "run" / "ring.bitfold"
    assert f"The ring in {path.stat().st_size:,} bytes" in last
    assert last.split(": ")[1].split()[:3] == ["bitfold", "decompress", str(path)]


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


def rings(folder: Path) -> tuple[Path, Path]:
    """Draw a grey and a red, green and blue ring."""
    y, x = np.mgrid[0:64, 0:64] / 64 - 0.5
    radius = np.hypot(x, y)
    grey = np.where((radius > 0.2) & (radius < 0.36), 255, 0).astype(np.uint8)
    colours = np.zeros((64, 64, 3), np.uint8)
    colours[..., 2] = 255
    colours[radius < 0.36] = (255, 0, 0)
    colours[radius < 0.2] = (0, 255, 0)
    Image.fromarray(grey).save(folder / "grey.png")
    Image.fromarray(colours).save(folder / "colours.png")
    return folder / "grey.png", folder / "colours.png"


FULL = shlex.split(
    "-s [6]*2 -e 3 --seed 1 -d -p 500 -b 128 -l 0.002 --snapshot-dir shots --optimizer muon "
    "--momentum 0.8 --adam-eps 1e-7 --weight-decay 0.001 --amsgrad --muon-eps 1e-6 "
    "--muon-momentum 0.9 --muon-ns-steps 4 --no-muon-nesterov --muon-adjust-lr-fn match_rms_adamw "
    "--grad-clip-norm 1.0 --save-interval 1 --snapshot-format jpg --png-compression 3 "
    "--jpeg-quality 80 --chunk-size 131072 --empty-cache-each-viz-chunk --checkpoint-interval 2 "
    "--checkpoint-dir points --kolmogorov-shape [5,5] --kolmogorov-weight 0.01 "
    "--kolmogorov-loss-type cross_entropy --kolmogorov-bins 64 --kolmogorov-weight-min -2 "
    "--kolmogorov-weight-max 2 --kolmogorov-lr 0.005"
)


def test_while_training_takes_its_users_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of a script's options are understood; two runs into one folder stay apart."""
    grey, _ = rings(tmp_path)
    output = tmp_path / "results"
    log = ["--log-file", str(tmp_path / "log.txt"), "--smoothing-sigma", "3.0"]
    arguments = ["--input", str(grey), "--output-dir", str(output), *FULL, *log]
    assert draw_poly_while_training.main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err.count("--chunk-size") == 1
    assert sum("lambda*K" in line for line in captured.out.splitlines()) == 3
    assert draw_poly_while_training.main([*arguments, "--quiet"]) == 0
    first, second = sorted(output.iterdir())
    for folder in (first, second):
        assert len(list((folder / "shots").glob("*.jpg"))) == 4
        assert len(load_run(folder).metrics["epoch"]) == 3
        assert list((folder / "points").glob("epoch-*.safetensors"))


def test_classifier_trains_and_resumes_otherwise(tmp_path: Path) -> None:
    """The classifier tells three classes; ``--resume`` goes on with another optimiser and rate."""
    _, colours = rings(tmp_path)
    output = tmp_path / "results"
    arguments = [*FULL, "--final-activation", "leaky_relu", "--quiet"]
    common = ["-o", str(output), *arguments]
    assert draw_poly_classifier.main(["-i", str(colours), *common]) == 0
    (folder,) = output.iterdir()
    run = load_run(folder)
    assert run.target.out_features == 3
    assert (run.config.task, run.config.final_activation) == ("classification", "leaky_relu")
    checkpoint = max((folder / "points").iterdir())
    more = ["--resume", str(checkpoint), "--resume-optimizer", "sgd", "--resume-lr", "0.01"]
    assert draw_poly_classifier.main([*common, *more, "-e", "5"]) == 0
    config = load_run(folder).config
    assert (config.optimizer, config.learning_rate, config.epochs) == ("sgd", 0.01, 5)
    assert len(load_run(folder).metrics["epoch"]) == 5


def test_find_run_takes_folders_checkpoints_and_parents(trained: Path, tmp_path: Path) -> None:
    """A run is found by its folder, by a file in it, and as the newest of a folder of runs."""
    checkpoint = next((trained / "checkpoints").iterdir())
    for path in (trained, checkpoint, trained.parent):
        assert find_run(path, tmp_path) == trained
    with pytest.raises(RunError, match="no run"):
        find_run(tmp_path, tmp_path)

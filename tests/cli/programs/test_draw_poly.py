"""The two draw-poly programs take their users' options."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitfold.cli.programs import draw_poly_classifier, draw_poly_while_training
from bitfold.cli.programs.draw_poly import find_run
from bitfold.errors import RunError
from bitfold.training import load_run
from tests.cli.command_runs import nothing_drawn


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


@pytest.mark.slow
def test_while_training_takes_its_users_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program takes all options of its users' scripts; two runs into one folder stay apart."""
    grey, _ = rings(tmp_path)
    output = tmp_path / "results"
    log = ["--log-file", str(tmp_path / "log.txt"), "--smoothing-sigma", "3.0"]
    arguments = ["--input", str(grey), "--output-dir", str(output), *FULL, *log]
    assert draw_poly_while_training.main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err.count("--chunk-size") == 1
    assert sum("lambda*K" in line for line in captured.out.splitlines()) == 3
    with nothing_drawn():
        assert draw_poly_while_training.main([*arguments, "--quiet"]) == 0
    first, second = sorted(output.iterdir())
    assert len(list((first / "shots").glob("*.jpg"))) == 4
    for folder in (first, second):
        assert len(load_run(folder).metrics["epoch"]) == 3
        assert list((folder / "points").glob("epoch-*.safetensors"))


def test_classifier_trains_and_resumes_otherwise(tmp_path: Path) -> None:
    """The classifier learns three classes; ``--resume`` takes another optimiser and rate."""
    _, colours = rings(tmp_path)
    output = tmp_path / "results"
    arguments = [*FULL, "--final-activation", "leaky_relu", "--quiet"]
    common = ["-o", str(output), *arguments]
    with nothing_drawn():
        assert draw_poly_classifier.main(["-i", str(colours), *common]) == 0
    (folder,) = output.iterdir()
    run = load_run(folder)
    assert run.target.out_features == 3
    assert (run.config.task, run.config.final_activation) == ("classification", "leaky_relu")
    checkpoint = max((folder / "points").iterdir())
    more = ["--resume", str(checkpoint), "--resume-optimizer", "sgd", "--resume-lr", "0.01"]
    with nothing_drawn():
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

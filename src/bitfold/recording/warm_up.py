"""Compiles the loops of the main jobs by doing each job once, on the smallest example."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.model_file import read_model, write_model
from bitfold.networks import PolytopeNet
from bitfold.recording.drawing import Drawing
from bitfold.recording.files.drawing_paths import DrawingPaths
from bitfold.recording.frame_style import FrameStyle
from bitfold.runtime.loop_cache.folders import loop_folders
from bitfold.runtime.loop_cache.progress import compile_progress
from bitfold.runtime.strangers.isolated_start import isolated_command, own_group, why_alone
from bitfold.training import Config, Run, train

_SMALL: dict[str, Any] = {
    "size": 16,
    "shape": "[4]*2",
    "epochs": 2,
    "save_interval": "1",
    "frame_size": 64,
    "snapshot_format": "none",
}
#: Runs that call every loop of training, measuring and drawing, each with other settings.
_RUNS: tuple[dict[str, Any], ...] = (
    {"target": "ring", "kolmogorov_weight": 0.01},
    {"target": "rgb-ring", "fold_colour": "neuron", "faces": "area", "layout": "layers"},
    {"target": "spiral", "task": "classification", "fold_colour": "layer"},
    {"target": "ring", "kolmogorov_weight": 0.01, "kolmogorov_quantise": "learned", "epochs": 4},
    {"target": "ring", "kolmogorov_weight": 0.01, "kolmogorov_range": "auto"},
    {"target": "ring", "kolmogorov_weight": 0.01, "kolmogorov_predictor": "row_column"},
    {
        "target": "ring",
        "activation": "tanh",
        "kolmogorov_weight": 0.01,
        "kolmogorov_predictor": "row_column",
        "kolmogorov_targets": "linear",
    },
    {
        "target": "ring",
        "kolmogorov_weight": 0.01,
        "kolmogorov_quantise": "learned",
        "kolmogorov_predictor": "adaptive",
    },
    {"target": "ring", "polytope_engine": "sampled"},
)


def warm_up(report: Callable[[int, int], None] = lambda compiled, known: None) -> None:
    """Compile every loop of training, measuring, drawing and model files that is not on disk yet.

    A second process does the same jobs from the last to the first, where there is another core
    and a process can be started.
    Neither compiles what the other one has compiled, or is just compiling.

    Args:
        report: called with (loops compiled, loops known to be needed) as this process compiles.

    Guarantees: nothing but the folder of compiled loops is written outside a temporary folder.
    """
    with (
        compile_progress(report),
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        _second_process(Path(folder) / "second"),
    ):
        for job in _jobs(Path(folder)):
            job()


@contextmanager
def _second_process(folder: Path) -> Iterator[None]:
    """While a block lasts, let another process compile too, in a folder that outlives it."""
    if (os.cpu_count() or 1) < 2 or loop_folders().writable() is None or why_alone():
        yield
        return
    process = subprocess.Popen(
        isolated_command(__name__, str(folder)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **own_group(),
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _jobs(folder: Path) -> list[Callable[[], None]]:
    """Return what calls every loop: trainings that are drawn, then files that are written."""
    trainings = [partial(_train_and_draw, folder, number) for number in range(len(_RUNS))]
    return [*trainings, partial(_write_files, PolytopeNet(2, [4, 4], 1)), _write_few_values]


def _train_and_draw(folder: Path, number: int) -> None:
    place = str(folder / str(number))
    run = train(Config(**{**_SMALL, **_RUNS[number], "output_dir": place}))
    with closing(Drawing(run, FrameStyle.of(run.config), DrawingPaths.of(run))) as drawing:
        for _ in drawing.draw_new():
            pass


def _write_files(network: PolytopeNet) -> None:
    losses = (
        KolmogorovLoss(network),
        KolmogorovLoss(network, quantise="learned"),
        KolmogorovLoss(network, quantise="learned", predictor="adaptive"),
        KolmogorovLoss(network, predictor="coordinate", weight_range=(-3.0, 3.0)),
    )
    _write_and_read(network, (None, *losses))


def _write_few_values() -> None:
    _write_and_read(_of_few_values(), (None,))


def warm_up_files(run: Run) -> None:
    """Compile the loops that write and read the model file of a run with learned steps.

    Args:
        run: a run, which is not changed.
    """
    network: PolytopeNet = run.new_network()
    _write_and_read(network, (None, KolmogorovLoss(network, quantise="learned")))


def _of_few_values() -> PolytopeNet:
    """A network whose weights have four values, which a code by counts describes best."""
    generator = torch.Generator().manual_seed(0)
    network, values = (
        PolytopeNet(2, [40, 40], 1),
        torch.tensor([-8.0, -1.0, 0.0, 5.0], device="cpu"),
    )
    with torch.no_grad():
        for item in network.parameters():
            item.copy_(
                values[torch.randint(len(values), item.shape, generator=generator, device="cpu")]
            )
    return network


def _write_and_read(network: PolytopeNet, losses: Iterable[KolmogorovLoss | None]) -> None:
    """Write a network with and without K, and read it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.bitfold"
        for loss in losses:
            write_model(path, network, loss)
            read_model(path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    Path(sys.argv[1]).mkdir()
    tempfile.tempdir = sys.argv[1]  # it may be ended at any moment
    for do in reversed(_jobs(Path(sys.argv[1]))):
        do()

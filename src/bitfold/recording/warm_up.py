"""Compiles the loops of the main jobs by doing each job once, on the smallest example."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.model_file import read_model, write_model
from bitfold.networks import PolytopeNet
from bitfold.recording.drawing import Drawing
from bitfold.recording.files.drawing_paths import DrawingPaths
from bitfold.recording.frame_style import FrameStyle
from bitfold.runtime.loop_cache.progress import compile_progress
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
    {"target": "ring", "polytope_engine": "sampled"},
)


def warm_up(report: Callable[[int, int], None] = lambda compiled, known: None) -> None:
    """Compile every loop of training, measuring, drawing and model files that is not on disk yet.

    Args:
        report: called with (loops compiled, loops known to be needed) as they are compiled.

    Guarantees: nothing but the folder of compiled loops is written outside a temporary folder.
    """
    with compile_progress(report), tempfile.TemporaryDirectory() as folder:
        for number, settings in enumerate(_RUNS):
            place = str(Path(folder) / str(number))
            run = train(Config(**{**_SMALL, **settings, "output_dir": place}))
            _draw(run)
            network: PolytopeNet = run.new_network()
            losses = (
                KolmogorovLoss(network),
                KolmogorovLoss(network, quantise="learned"),
                KolmogorovLoss(network, predictor="coordinate", weight_range=(-3.0, 3.0)),
            )
            _write_and_read(network, (None, *losses))
        _write_and_read(_of_few_values(), (None,))


def _draw(run: Run) -> None:
    with closing(Drawing(run, FrameStyle.of(run.config), DrawingPaths.of(run))) as drawing:
        for _ in drawing.draw_new():
            pass


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
    network, values = PolytopeNet(2, [40, 40], 1), torch.tensor([-8.0, -1.0, 0.0, 5.0])
    with torch.no_grad():
        for item in network.parameters():
            item.copy_(values[torch.randint(len(values), item.shape, generator=generator)])
    return network


def _write_and_read(network: PolytopeNet, losses: Iterable[KolmogorovLoss | None]) -> None:
    """Write a network with and without K, and read it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.bitfold"
        for loss in losses:
            write_model(path, network, loss)
            read_model(path)

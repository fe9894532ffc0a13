"""The process that compiles beside training: first what the first epoch calls last, then folds.

It compiles on a core of its own while the trainer compiles what it calls first. Then it measures
the folds of an untrained network, by which the loops that measure folds are compiled.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bitfold.networks import PolytopeNet
from bitfold.training.run.record import RunRecord
from bitfold.training.step.learner import Learner
from bitfold.training.watch.fold_monitor import FoldMonitor


def main() -> int:
    """Compile for the run whose folder is the first argument; its network is untrained."""
    torch.set_num_threads(1)
    run = RunRecord.open(sys.argv[1])
    if run.config.epoch_loop == "compiled":
        Learner(run.config, run.target, run.split).compile_ahead()
    monitor = FoldMonitor(run.config, run.target, run.split)
    network = run.new_network().eval()
    with torch.no_grad():
        monitor.measure(network, None)
        _complicate(network, monitor.level or 0.0, run.target.grid.coordinates(run.split.training))
        monitor.measure(network, None)
    return 0


def _complicate(network: PolytopeNet, level: float, points: NDArray[np.float32]) -> None:
    """Give a network what trained ones have, and what other loops handle.

    Folds of two neurons coincide, as rounded weights let them, and outputs pass the level.
    """
    layers = list(network.layers)
    # Without the final activation, which is not measured.
    body = nn.Sequential(*(layers if isinstance(layers[-1], nn.Linear) else layers[:-1]))
    first, last = body[0], body[-1]
    assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
    first.weight[-1:], first.bias[-1:] = first.weight[:1].clone(), first.bias[:1].clone()
    last.bias.add_(level - body(torch.from_numpy(points)).median(0).values)


if __name__ == "__main__":
    sys.exit(main())

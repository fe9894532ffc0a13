"""The process that compiles the loops that measure folds: it measures an untrained network."""

from __future__ import annotations

import os
import sys

import torch

from bitfold.training.run.record import open_record
from bitfold.training.watch.fold_monitor import FoldMonitor


def main() -> int:
    """Measure the folds of the untrained network of the run whose folder is the first argument."""
    if hasattr(os, "nice"):
        os.nice(5)
    torch.set_num_threads(1)
    run = open_record(sys.argv[1])
    monitor = FoldMonitor(run.config, run.target, run.split)
    network, points = run.new_network().eval(), run.target.grid.coordinates(run.split.training)
    with torch.no_grad():
        monitor.measure(network, None)
        # An untrained network may decide nowhere: shifted, it has a level line to measure too.
        last = [layer for layer in network.layers if isinstance(layer, torch.nn.Linear)][-1]
        last.bias += (monitor.level or 0.0) - network(torch.from_numpy(points)).median(0).values
        monitor.measure(network, None)
    return 0


if __name__ == "__main__":
    sys.exit(main())

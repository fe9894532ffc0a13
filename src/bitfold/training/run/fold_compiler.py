"""The process that compiles the loops that measure folds: it measures an untrained network once."""

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
    with torch.no_grad():
        FoldMonitor(run.config, run.target, run.split).measure(run.new_network(), None)
    return 0


if __name__ == "__main__":
    sys.exit(main())

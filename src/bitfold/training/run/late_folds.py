"""Folds that are measured after their epoch, because their loops were not compiled yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import torch

from bitfold.training.run.fold_loops import FoldLoops
from bitfold.training.run.record import RunRecord
from bitfold.training.store.metrics import Metrics
from bitfold.training.watch.fold_monitor import FoldMonitor


class LateFolds:
    """Measures folds when they are due, or from the trajectory once their loops are compiled.

    Args:
        run: the run.
        monitor: measures, and remembers which epochs are still to be measured.

    Guarantees: each epoch's numbers are those that would have been measured at once.
    """

    def __init__(self, run: RunRecord, monitor: FoldMonitor) -> None:
        self._run, self._monitor = run, monitor
        self._loops = FoldLoops(run.path)

    def follow(self, run: RunRecord, monitor: FoldMonitor) -> None:
        """Go on with the changed configuration of the run, and its new monitor."""
        self._run, self._monitor = run, monitor

    def start(self) -> None:
        """Have the loops compiled if they are not."""
        self._loops.start()

    def close(self) -> None:
        """End what still compiles."""
        self._loops.close()

    def postpones(self, epoch: int) -> bool:
        """Whether an epoch is measured later; if so, remember it."""
        # Epochs are measured in order: each looks back at the one before.
        if self._loops.are_ready() and not self._monitor.postponed:
            return False
        self._monitor.postponed.append(epoch)
        return True

    def has_postponed(self) -> bool:
        """Whether epochs are still to be measured."""
        return bool(self._monitor.postponed)

    def wait(self, is_stopping: Callable[[], bool] = lambda: False) -> None:
        """Wait until the loops are compiled, or until training is asked to stop."""
        self._loops.wait(is_stopping)

    def catch_up(self) -> dict[int, Metrics]:
        """Measure the postponed epochs if the loops are compiled; return each one's numbers."""
        postponed = self._monitor.postponed
        if not postponed or not self._loops.are_ready():
            return {}
        metrics = self._run.metrics
        bits = dict(zip(metrics["epoch"], metrics["description_bits"], strict=True))
        with torch.random.fork_rng(devices=[]):  # the new network's own weights are drawn
            network = self._run.new_network().eval()
        found: dict[int, Metrics] = {}
        with closing(self._run.open_trajectory()) as trajectory, torch.no_grad():
            for moment in trajectory.moments():
                if moment.epoch in postponed:
                    network.load_state_dict(dict(moment.weights))
                    found[moment.epoch] = self._monitor.measure(network, bits.get(moment.epoch))
        postponed.clear()
        return found

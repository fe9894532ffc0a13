"""Folds that are measured after their epoch, because their loops were not compiled yet."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from operator import itemgetter
from typing import Final

import torch
from torch import Tensor

from bitfold.training.run.fold_loops import FoldLoops
from bitfold.training.run.record import RunRecord
from bitfold.training.store.metrics import Metrics
from bitfold.training.store.trajectory import TrajectoryReader
from bitfold.training.watch.fold_monitor import FoldMonitor

_MOST_BYTES: Final = 2**28


class LateFolds:
    """Measures folds when they are due, or once their loops are compiled.

    The weights of late epochs are those of the trajectory; between its moments they are remembered.

    Args:
        run: the run.
        monitor: measures, and remembers which epochs are still to be measured.

    Guarantees: each epoch's numbers are those that would have been measured at once.
    """

    def __init__(self, run: RunRecord, monitor: FoldMonitor) -> None:
        self._run, self._monitor = run, monitor
        self._kept: dict[int, dict[str, Tensor]] = {}
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

    def keep(self, epoch: int, weights: Mapping[str, Tensor]) -> None:
        """Remember the weights of a postponed epoch that the trajectory will not have.

        A checkpoint does not have them: before one is written, they must be measured.
        """
        self._kept[epoch] = {
            name: tensor.detach().cpu().clone() for name, tensor in weights.items()
        }

    def has_kept(self) -> bool:
        """Whether weights are remembered that are nowhere on disk."""
        return bool(self._kept)

    def is_full(self) -> bool:
        """Whether the remembered weights take so much memory that none should be added."""
        one = next(iter(self._kept.values()), {})
        num_bytes = sum(tensor.numel() * tensor.element_size() for tensor in one.values())
        return len(self._kept) * num_bytes > _MOST_BYTES

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
            for epoch, weights in self._in_order(trajectory):
                if epoch in postponed and epoch not in found:
                    network.load_state_dict(dict(weights))
                    found[epoch] = self._monitor.measure(network, bits.get(epoch))
        postponed.clear()
        self._kept.clear()
        return found

    def _in_order(self, trajectory: TrajectoryReader) -> Iterator[tuple[int, Mapping[str, Tensor]]]:
        """Epochs and weights, of the trajectory and remembered: each measure looks at the last."""
        recorded = ((moment.epoch, moment.weights) for moment in trajectory.moments())
        return heapq.merge(recorded, sorted(self._kept.items()), key=itemgetter(0))

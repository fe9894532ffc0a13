"""The files that a training run writes: metrics, trajectory, checkpoints and status."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from torch import Tensor

from bitfold.runtime.atomic_files import AppendOnlyFile
from bitfold.training.run.record import RunRecord
from bitfold.training.store.checkpoints import (
    Checkpoint,
    checkpoint_epoch,
    checkpoint_path,
    checkpoint_paths,
    write_checkpoint,
)
from bitfold.training.store.metrics import Metrics, without_folds
from bitfold.training.store.metrics_log import MetricsLog
from bitfold.training.store.retention import Retention
from bitfold.training.store.trajectory import TrajectoryWriter
from bitfold.training.store.unwritable import unwritable

BYTES_PER_MB = 10**6


class Journal:
    """Writes a run's files; if the disk refuses a write, sends one notice and goes on.

    Opening the journal cuts off the metrics and frames of later epochs. It also cuts off the last
    frame of an interrupted training, if its epoch is not due for a frame.

    Args:
        run: the run.
        weights: the network's state.
        epoch: number of finished epochs.
        notice: called with a line for the first refused write of each kind of file.

    Attributes:
        saved_epoch: epoch of the newest checkpoint; -1 before the first.
        frame_epoch: epoch of the newest frame in the trajectory; -1 if it is not ``epoch``.
        refusal: reason why the newest refused write was refused; empty before the first.

    Raises:
        RunError: a file cannot be opened or cut.
        TrajectoryError: the trajectory is damaged, or holds another network's weights.
    """

    def __init__(
        self,
        run: RunRecord,
        weights: Mapping[str, Tensor],
        *,
        epoch: int,
        notice: Callable[[str], None],
    ) -> None:
        self._run, self._notice = run, notice
        self._failed: set[str] = set()
        self.refusal = ""
        self._schedule = run.config.drawing.schedule
        is_framed = epoch > 0 and self._schedule.has(epoch)
        self.saved_epoch, self.frame_epoch = epoch if epoch > 0 else -1, epoch if is_framed else -1
        self._retention = _retention_of(run)
        folder = run.folder
        with ExitStack() as opened:
            try:
                self._metrics = MetricsLog(folder.metrics, keep_until=epoch)
                opened.callback(self._metrics.close)
                last_frame = epoch if is_framed else epoch - 1
                self._trajectory = TrajectoryWriter(
                    folder.trajectory, weights, keep_until=last_frame
                )
                opened.callback(self._trajectory.close)
            except OSError as error:
                raise unwritable(run.path, error, then="continue it") from None
            self._files = opened.pop_all()

    def follow(self, run: RunRecord) -> None:
        """Go on with the changed configuration of the run."""
        budget = self._run.config.checkpoint_budget
        self._run, self._schedule = run, run.config.drawing.schedule
        if run.config.checkpoint_budget != budget:
            self._retention = _retention_of(run)

    def is_checkpoint_due(self, seconds: float) -> bool:
        """Count the seconds of an epoch; return whether its checkpoint is one that stays."""
        self._retention.trained(seconds)
        return self._retention.is_due

    def is_frame_due(self, epoch: int) -> bool:
        """Whether an epoch is due for a frame."""
        return self._schedule.has(epoch)

    def last_metrics(self) -> Metrics:
        """Return the newest line of metrics; empty before the first line."""
        return self._metrics.last

    def append_metrics(self, metrics: Metrics) -> None:
        """Write a line of metrics."""
        self._try("metrics", lambda: self._metrics.append(metrics))

    def complete_metrics(self, late: Mapping[int, Metrics]) -> None:
        """Add numbers, by epoch, to lines of metrics that are already written."""
        self._try("metrics", lambda: self._metrics.complete(late))

    def append_frame(self, epoch: int, metrics: Metrics, weights: Mapping[str, Tensor]) -> bool:
        """Append a frame to the trajectory; return whether it was written."""
        # Folds may be measured later, and a frame is never rewritten.
        known = without_folds(metrics)
        if self._try("frames", lambda: self._trajectory.append(epoch, known, weights)):
            self.frame_epoch = epoch
        return self.frame_epoch == epoch

    def append_audit(self, heading: str, table: str) -> None:
        """Append the findings of a gradient audit to ``audit.txt``."""
        path = self._run.folder.audit

        def write() -> None:
            with closing(AppendOnlyFile(path)) as file:
                file.append(f"{heading}\n{table}\n\n".encode())

        self._try("audit.txt", write)

    def save(self, checkpoint: Checkpoint) -> Path | None:
        """Write a checkpoint once metrics and trajectory are on disk; return its path, or None."""
        folder = self._run.checkpoints

        def write() -> None:
            self._metrics.sync()
            self._trajectory.sync()
            if not self._run.path.is_dir():
                # Else a new folder of this name would stand where the old one is to be put back.
                raise FileNotFoundError(errno.ENOENT, "its folder was moved or deleted")
            write_checkpoint(folder, checkpoint, self._retention)

        if not self._try("a checkpoint", write):
            self._retention.postpone()
            return None
        self.saved_epoch = checkpoint.epoch
        return checkpoint_path(folder, checkpoint.epoch)

    def set_status(self, **facts: Any) -> None:
        """Change facts of the run's status; the others stay."""
        folder = self._run.folder
        self._try("run.json", lambda: folder.write_status({**folder.read_status(), **facts}))

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _try(self, what: str, write: Callable[[], Any]) -> bool:
        try:
            write()
        except OSError as error:
            self.refusal = error.strerror or str(error)
            if what not in self._failed:
                self._failed.add(what)
                self._notice(f"Cannot write {what}: {self.refusal}. Training goes on without.")
            return False
        return True


def _retention_of(run: RunRecord) -> Retention:
    """Choose all older checkpoints that lie on disk, within the run's budget."""
    budget_bytes = run.config.checkpoint_budget * BYTES_PER_MB
    paths = checkpoint_paths(run.checkpoints) if budget_bytes else []
    return Retention(budget_bytes, {checkpoint_epoch(p): p.lstat().st_size for p in paths})

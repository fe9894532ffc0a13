"""One stretch of training: from a start or a checkpoint to whatever ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bitfold.targets import Split
from bitfold.training.checkpoints import checkpoint_path, write_checkpoint
from bitfold.training.events import (
    CheckpointWritten,
    EpochEnded,
    Event,
    Listener,
    Metrics,
    Noticed,
    RunEnded,
    RunStarted,
)
from bitfold.training.frame_schedule import FrameSchedule
from bitfold.training.learner import EpochResult, Learner
from bitfold.training.metrics import MetricsLog
from bitfold.training.run import Run
from bitfold.training.signals import StopRequest, stop_requests
from bitfold.training.state import capture
from bitfold.training.trajectory import TrajectoryWriter
from bitfold.training.watchdogs import FiniteWatchdog, Observation, Watchdog

GRADIENT_INTERVAL = 50


@dataclass(frozen=True)
class _Ending:
    reason: str
    message: str
    exit_code: int
    is_healthy: bool = True


class Session:
    """Runs epochs, writes what they give, and tells the listeners.

    Source: none, ours.

    Args:
        run: the run; its folder is locked by the caller.
        learner: holds the state after ``epoch`` epochs.
        watchdogs: with their memory.
        epoch: epochs that are behind it.
        listeners: told of every event, in order.
    """

    def __init__(
        self,
        run: Run,
        learner: Learner,
        watchdogs: list[Watchdog],
        *,
        epoch: int,
        listeners: Sequence[Listener],
    ) -> None:
        self._run, self._learner, self._watchdogs = run, learner, watchdogs
        self._epoch, self._listeners = epoch, listeners
        self._split: Split = run.split
        self._schedule = FrameSchedule.parse(run.config.save_interval)
        self._validation_loss: float | None = None
        self._failed: set[str] = set()
        state = learner.network.state_dict()
        self._metrics = MetricsLog(run.folder.metrics, keep_until=epoch)
        self._trajectory = TrajectoryWriter(run.folder.trajectory, state, keep_until=epoch)

    def train(self) -> RunEnded:
        """Train until the last epoch, a watchdog, or a request to stop."""
        with stop_requests() as request:
            self._set_status("running", "training", None)
            self._tell(RunStarted(self._run, self._epoch, self._learner.network))
            if self._epoch == 0:
                self._append_frame({})
                self._save()
            ending = self._finished()
            while ending is None:
                ending = self._one_epoch(request)
            ended = self._end(ending)
            self._tell(ended)
        return ended

    def _one_epoch(self, request: StopRequest) -> _Ending | None:
        epoch = self._epoch + 1
        start = time.perf_counter()
        result = self._learner.run_epoch(epoch)
        metrics = self._measure(epoch, result, start)
        self._epoch, self._validation_loss = epoch, result.validation_loss
        ending = self._inspect(metrics, result) or self._asked(request) or self._finished()
        self._try("metrics", lambda: self._metrics.append(metrics))
        is_healthy = ending is None or ending.is_healthy
        has_frame = is_healthy and (ending is not None or self._schedule.has(epoch))
        if has_frame:
            has_frame = self._append_frame(metrics)
        self._tell(EpochEnded(epoch, metrics, has_frame))
        due = epoch % self._run.config.checkpoint_interval == 0 or ending is not None
        if due and is_healthy:
            self._save()
        return ending

    def _measure(self, epoch: int, result: EpochResult, start: float) -> Metrics:
        config = self._run.config
        weighted = config.kolmogorov_weight * (result.kolmogorov_loss or 0.0)
        norms: tuple[float | None, ...] = (None, None, None)
        if epoch % GRADIENT_INTERVAL == 0:
            norms = self._learner.gradient_norms()
        return {
            "epoch": epoch,
            "combined_loss": result.task_loss + weighted,
            "task_loss": result.task_loss,
            "kolmogorov_loss": result.kolmogorov_loss,
            "kolmogorov_weight": config.kolmogorov_weight,
            "validation_loss": result.validation_loss,
            self._learner.task.score_name: result.score,
            "description_bits": result.description_bits,
            "weights_out_of_range": result.out_of_range,
            "grad_norm_task_network": norms[0],
            "grad_norm_kolmogorov_network": norms[1],
            "grad_norm_kolmogorov_predictor": norms[2],
            "seconds": time.perf_counter() - start,
        }

    def _inspect(self, metrics: Metrics, result: EpochResult) -> _Ending | None:
        names = ("task_loss", "kolmogorov_loss", "combined_loss", "validation_loss")
        losses = {name: float(v) for name in names if (v := metrics[name]) is not None}
        weights = self._learner.flat_weights()
        seen = Observation(self._epoch, losses, weights, result.output_spread)
        for watchdog in self._watchdogs:
            reason = watchdog.inspect(seen)
            if reason is not None:
                is_healthy = not isinstance(watchdog, FiniteWatchdog)
                message = f"Stopped by the watchdog {watchdog.name!r}: {reason}."
                if not is_healthy:
                    message += self._last_good()
                return _Ending(watchdog.name, message, watchdog.exit_code, is_healthy)
        return None

    def _last_good(self) -> str:
        interval = self._run.config.checkpoint_interval
        epoch = (self._epoch - 1) // interval * interval
        for candidate in (epoch, 0):
            path = checkpoint_path(self._run.checkpoints, candidate)
            if path.exists():
                return f" The last good checkpoint is {path}."
        return " There is no checkpoint before it."

    def _asked(self, request: StopRequest) -> _Ending | None:
        if request.reason is None:
            return None
        message = f"Training was {request.reason} after epoch {self._epoch}; its state is saved."
        return _Ending(request.reason, message, request.exit_code)

    def _finished(self) -> _Ending | None:
        if self._epoch < self._run.config.epochs:
            return None
        return _Ending("completed", f"Training completed {self._epoch} epochs.", 0)

    def _append_frame(self, metrics: Metrics) -> bool:
        weights = self._learner.network.state_dict()
        return self._try("frames", lambda: self._trajectory.append(self._epoch, metrics, weights))

    def _save(self) -> None:
        folder = self._run.checkpoints
        path = checkpoint_path(folder, self._epoch)
        state = capture(
            self._epoch, self._learner, self._split, self._watchdogs, self._validation_loss
        )

        def write() -> None:
            self._metrics.sync()
            write_checkpoint(folder, state)

        if self._try("checkpoint", write):
            self._tell(CheckpointWritten(self._epoch, path))

    def _try(self, what: str, write: Callable[[], Any]) -> bool:
        """Write; where the disk refuses, say so once and go on without."""
        try:
            write()
        except OSError as error:
            if what not in self._failed:
                self._failed.add(what)
                self._tell(Noticed(f"Cannot write {what}: {error.strerror}. Training goes on."))
            return False
        return True

    def _end(self, ending: _Ending) -> RunEnded:
        self._metrics.close()
        self._trajectory.close()
        self._set_status(ending.reason, ending.message, ending.exit_code)
        learner = self._learner
        return RunEnded(
            self._epoch,
            ending.reason,
            ending.message,
            ending.exit_code,
            learner.network,
            learner.kolmogorov,
        )

    def _set_status(self, status: str, message: str, exit_code: int | None) -> None:
        folder = self._run.folder
        facts = {"status": status, "message": message, "exit_code": exit_code}
        now = {**folder.read_status(), **facts, "epoch": self._epoch}
        self._try("status", lambda: folder.write_status(now))

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def limit_threads(number: int) -> int:
    """Set PyTorch's threads and return how many they were."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    return before


def absolute(path: Path) -> Path:
    """Return a path that a later change of folder does not move."""
    return path.expanduser().resolve()

"""The events that training sends to its listeners; training itself neither draws nor prints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from bitfold.audit import AuditRow
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.training.run.record import RunRecord
from bitfold.training.store.metrics import Metrics


@dataclass(frozen=True)
class RunStarted:
    """Training is about to begin or to continue; the folder is complete and locked.

    Args:
        run: the folder's record; `bitfold.load_run` gives the whole run.
        epoch: number of finished epochs; 0 for a new run.
        network: the live network; listeners may read it and must not change it.
    """

    run: RunRecord
    epoch: int
    network: nn.Module


@dataclass(frozen=True)
class Changed:
    """A change of settings, target or points acts from now on, and is on disk.

    Args:
        epoch: the first epoch that is trained with it.
        settings: name to new value.
        run: the record with the changed configuration, target and points.
        network: the live network from now on; the one before is not trained any further.
    """

    epoch: int
    settings: Mapping[str, Any]
    run: RunRecord
    network: nn.Module


@dataclass(frozen=True)
class EpochEnded:
    """One epoch is over, and its line of metrics is on disk.

    Args:
        epoch: number of the epoch, from 1.
        metrics: its line of ``metrics.jsonl``.
        has_frame: whether its weights were appended to the trajectory.
    """

    epoch: int
    metrics: Metrics
    has_frame: bool


@dataclass(frozen=True)
class FoldsMeasured:
    """The folds of an earlier epoch are measured, and its line of metrics holds their numbers.

    Only where the loops that measure folds had to be compiled first: all other numbers of folds are
    in `EpochEnded`.

    Args:
        epoch: the epoch's number.
        metrics: the numbers that were added to its line.
    """

    epoch: int
    metrics: Metrics


@dataclass(frozen=True)
class LoopsCompiled:
    """A loop was compiled, once on this machine; training has to wait for those it needs.

    Args:
        num_compiled: loops that training has compiled so far.
        num_known: loops that are known to be needed, these included; the number may grow.
    """

    num_compiled: int
    num_known: int


@dataclass(frozen=True)
class CheckpointWritten:
    """A checkpoint is complete on disk."""

    epoch: int
    path: Path


@dataclass(frozen=True)
class Noticed:
    """A line for a person to read; training goes on."""

    message: str


@dataclass(frozen=True)
class Audited:
    """A gradient audit checked that every loss term's gradient reaches network and predictor.

    Args:
        epoch: number of finished epochs.
        occasion: the reason: the start of training, a change of K, or a line of the trade monitor.
        is_ok: whether no gradient is cut; if one is cut at the start, the run does not train,
            unless its settings plant the cut.
        table: the findings, several lines; the run's ``audit.txt`` has them too.
        rows: the same, one for each term and module.
    """

    epoch: int
    occasion: str
    is_ok: bool
    table: str
    rows: tuple[AuditRow, ...] = ()


@dataclass(frozen=True)
class RunEnded:
    """Training is over; this is the last event.

    Args:
        epoch: the last finished epoch.
        reason: ``completed``, ``interrupted``, ``terminated``, ``unsaved``, ``audit``, a watchdog's
            name, or ``paused`` if a session was closed before its end.
        message: one line for a person.
        exit_code: the exit code for a program that only trains.
        network: the network at the end.
        kolmogorov: its Kolmogorov loss; None without K.
    """

    epoch: int
    reason: str
    message: str
    exit_code: int
    network: nn.Module
    kolmogorov: KolmogorovLoss | None


Event = (
    RunStarted
    | LoopsCompiled
    | Changed
    | EpochEnded
    | FoldsMeasured
    | CheckpointWritten
    | Noticed
    | Audited
    | RunEnded
)
Listener = Callable[[Event], None]


class LateListener(ABC):
    """A listener that works on after training, and says how long.

    A run with ``minutes`` ends its epochs early enough for that.
    """

    @abstractmethod
    def __call__(self, event: Event) -> None:
        """Listen to training; the call with `RunEnded` returns when all work is done."""

    @abstractmethod
    def seconds_left(self) -> float:
        """Return the seconds that the call with `RunEnded` would take now, about."""

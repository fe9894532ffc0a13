"""What training tells those who listen; training itself neither draws nor prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.training.run.run import Run
from bitfold.training.store.metrics import Metrics


@dataclass(frozen=True)
class RunStarted:
    """Training is about to begin or to go on; the folder is complete and locked.

    Args:
        run: the run, as `bitfold.load_run` would give it.
        epoch: epochs that are behind it: 0 for a new run.
        network: the live network; a listener reads it and never changes it.
    """

    run: Run
    epoch: int
    network: nn.Module


@dataclass(frozen=True)
class EpochEnded:
    """One epoch is over, and its line of metrics is on disk.

    Args:
        epoch: its number, from 1.
        metrics: its line of ``metrics.jsonl``.
        has_frame: whether the network's weights were appended to the trajectory.
    """

    epoch: int
    metrics: Metrics
    has_frame: bool


@dataclass(frozen=True)
class CheckpointWritten:
    """A checkpoint is complete on disk."""

    epoch: int
    path: Path


@dataclass(frozen=True)
class Noticed:
    """Something a person should know, in one line; training goes on."""

    message: str


@dataclass(frozen=True)
class Audited:
    """It was looked into whether every loss term's gradient reaches network and predictor.

    Args:
        epoch: epochs that are behind the run.
        occasion: why it was: at the start, or what the trade monitor had to say.
        is_ok: whether no gradient is cut; a run whose start is cut does not train.
        table: the findings, several lines; they are in ``audit.txt`` of the run too.
    """

    epoch: int
    occasion: str
    is_ok: bool
    table: str


@dataclass(frozen=True)
class RunEnded:
    """Training is over; nothing follows this event.

    Args:
        epoch: the last finished epoch.
        reason: ``completed``, ``interrupted``, ``terminated``, ``audit``, or a watchdog's name.
        message: one line for a person.
        exit_code: what a program that did nothing else should exit with.
        network: the network as it ended.
        kolmogorov: its Kolmogorov loss, or None.
    """

    epoch: int
    reason: str
    message: str
    exit_code: int
    network: nn.Module
    kolmogorov: KolmogorovLoss | None


Event = RunStarted | EpochEnded | CheckpointWritten | Noticed | Audited | RunEnded
Listener = Callable[[Event], None]

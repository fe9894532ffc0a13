"""A run as the server knows it: its newest moment, and its trainer if it has one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from bitfold.studio.hub.rows import Rows
from bitfold.studio.wire.message import Message, decode, encode

#: A trainer says that it is alive every two seconds.
SILENT_SECONDS: Final = 12.0
_SILENCE: Final = (
    "The trainer does not answer: it is stopped, or the machine is busy. What it has saved is "
    "safe; Save and close ends it."
)
#: Kinds of messages of a trainer that a page is told when it opens the run.
STATES = ("target", "settings", "audit", "changes", "marks", "points")
#: Kinds of which pages get the newest alone.
NEWEST = (*STATES, "bits")
#: Orders for which no trainer is started: without one there is nothing to do for them yet.
IDLE: Final = frozenset({"pause", "speed", "undo"})


class Trainer(Protocol):
    """Who trains a run: a process, or the same one."""

    def order(self, facts: Mapping[str, Any]) -> None:
        """Take an order."""

    async def stop(self) -> None:
        """Save, and end."""


class LiveRun:
    """What is known of one run.

    Args:
        name: of the run.
        path: its folder.

    Attributes:
        trainer: who trains it; None if nobody does.
        is_starting: whether the process is being started; orders wait for it.
        is_stopping: whether it was asked to end; orders wait for the next one.
        weights: of its newest moment, all tensors one after the other; None before the first.
        states: the newest message of each of `STATES`.
        rows: its metrics.
        kept: the epochs whose weights it has kept.
        num_lasting_rows: the rows that the newest moment has left as they were.
        has_history: whether ``rows`` and ``kept`` hold what the run's folder has.
        is_record_asked: whether the run's folder was asked for them.
        is_coming: whether a trainer was started that has not yet sent a moment.
        has_moment: whether a trainer has told a moment of it.
        beginning: how the run begins, until its trainer has made it; then empty.
        is_silent: whether its trainer has not answered for `SILENT_SECONDS`.
        epochs_per_second: the chosen speed, which each trainer of it gets; None for full speed.
    """

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path = name, path
        self.trainer: Trainer | None = None
        self.is_starting = self.is_stopping = False
        self._is_settled = asyncio.Event()  # unless a process is being started
        self._is_settled.set()
        self._waiting: list[Mapping[str, Any]] = []
        self._later: list[Mapping[str, Any]] = []
        self.weights: NDArray[Any] | None = None
        self.states: dict[str, bytes] = {}
        self.rows = Rows()
        self.num_lasting_rows = 0
        self.kept: list[int] = []
        self.has_history = False
        self.is_record_asked = False
        self.is_coming = False
        self.has_moment = False
        self.beginning: Mapping[str, Any] = {}
        self.is_silent = False
        self.epochs_per_second: float | None = None
        self._heard_seconds: float | None = None  # of the monotonic clock; None before the first
        self._last_words = ""
        self._facts: dict[str, Any] = {
            "epoch": 0,
            "is_playing": False,
            "is_over": False,
            "note": "",
            "is_problem": False,
        }

    @property
    def epoch(self) -> int:
        """The number of finished epochs, as far as the server knows."""
        return int(self._facts["epoch"])

    @property
    def is_open(self) -> bool:
        """Whether a process trains it, or will in a moment."""
        return self.is_starting or self.trainer is not None

    @property
    def takes_orders(self) -> bool:
        """Whether a process carries out orders now, or will in a moment."""
        return self.is_open and not self.is_stopping

    @property
    def can_be_cut(self) -> bool:
        """Whether the weights of its newest moment are known, or lie in its folder."""
        return self.weights is not None or (self.has_history and not self.is_coming)

    def take_history(self, message: Message) -> None:
        """Take the metrics and the kept epochs that the run's folder holds."""
        newer = self.rows.since(0)
        self.rows.add(message.arrays["rows"])
        self.rows.add(newer)
        self.has_history = True
        self.kept = [
            *message.facts["kept"],
            *(e for e in self.kept if e not in message.facts["kept"]),
        ]
        if not self.is_open and self.kept:
            self._facts["epoch"] = self.kept[-1]

    @property
    def has_waiting(self) -> bool:
        """Whether orders that need a trainer have come while the last one was stopping."""
        return any(order["kind"] not in IDLE for order in self._waiting)

    def start(self, beginning: Mapping[str, Any]) -> None:
        """Note that a trainer is being started.

        Args:
            beginning: how the run begins; empty for one that has begun.
        """
        self.is_coming = self.is_starting = True
        self.beginning = beginning
        self._facts |= {"note": "", "is_problem": False}  # of the trainer before
        self._is_settled.clear()

    def attach(self, trainer: Trainer) -> None:
        """Take who trains the run, and give it the chosen speed and the orders that have waited."""
        self.trainer, self.is_starting = trainer, False
        self._is_settled.set()
        if self.epochs_per_second is not None:
            trainer.order({"kind": "speed", "epochs_per_second": self.epochs_per_second})
        for order in self._waiting:
            trainer.order(order)
        self._waiting.clear()

    def order(self, order: Mapping[str, Any]) -> None:
        """Give the trainer an order; one that is being started gets it later.

        A speed is kept for all trainers to come.
        """
        if order["kind"] == "speed":
            self.epochs_per_second = order["epochs_per_second"]
        if self.is_stopping:
            self._later.append(order)
        elif self.is_starting:
            self._waiting.append(order)
        elif self.trainer is not None:
            self.trainer.order(order)

    def stop(self) -> Coroutine[Any, Any, None]:
        """Let the trainer save and end; orders from this call on wait for the next one."""
        self.is_stopping = self.is_open
        return self._stopped()

    async def _stopped(self) -> None:
        await self._is_settled.wait()
        if self.trainer is not None:
            await self.trainer.stop()

    def hear(self, data: bytes, tell: Callable[[str, bytes], None]) -> None:
        """Take a message of the trainer, and tell pages what they should know.

        Args:
            data: the message.
            tell: called with the kind and the message for the pages.
        """
        message = decode(data)
        kind = message.kind
        was_silent, self.is_silent = self.is_silent, False
        self._heard_seconds = time.monotonic()
        if was_silent:
            tell("moment", b"")
        if kind == "alive":
            return
        if kind == "ended":
            self._last_words = str(message.facts["text"])
        if kind == "moment":
            self.beginning = {}
            self._take_moment(message)
            tell("moment", b"")
            return
        told = encode(Message(kind, {**message.facts, "run": self.name}, message.arrays))
        if kind in STATES:
            self.states[kind] = told
        tell(kind, told)

    def falls_silent(self, now: float) -> bool:
        """Whether the trainer has not answered for long, and this was not known.

        Args:
            now: seconds of the monotonic clock.
        """
        since = self._heard_seconds
        is_silent = self.trainer is not None and since is not None and now - since > SILENT_SECONDS
        was_silent, self.is_silent = self.is_silent, is_silent
        return is_silent and not was_silent

    def listen_anew(self, now: float) -> None:
        """Count silence from now on: the machine has slept."""
        if self._heard_seconds is not None:
            self._heard_seconds = now

    def end(self, reason: str) -> None:
        """Note that the trainer has ended.

        Args:
            reason: why, if it was not asked to; else empty. What it said itself is clearer.
        """
        self._waiting, self._later = self._later, []
        if not self.has_waiting:
            self._waiting = []
        self.trainer, self.is_coming = None, False
        self.is_starting = self.is_stopping = False
        self._is_settled.set()
        note, self._last_words = (self._last_words or reason) if reason else "", ""
        self.is_silent, self._heard_seconds = False, None
        self._facts |= {"is_playing": False, "note": note, "is_problem": bool(note)}

    def forget_strokes(self) -> bytes | None:
        """Note that no trainer is left that could take a stroke back.

        Returns:
            The message of the target without strokes to undo; None if pages know this already.
        """
        target = decode(self.states["target"]) if "target" in self.states else None
        if target is None or not target.facts["can_undo"]:
            return None
        facts = {**target.facts, "can_undo": False}
        self.states["target"] = encode(Message("target", facts, target.arrays))
        return self.states["target"]

    def moment(self, first_row: int) -> bytes:
        """Return the message of the newest moment, with all rows from a number on."""
        silence = {"note": _SILENCE, "is_problem": True} if self.is_silent else {}
        facts = {
            **self._facts,
            **silence,
            "run": self.name,
            "is_trained": self.trainer is not None,
            "epochs_per_second": self.epochs_per_second,
            "first_row": first_row,
            "frames": self.kept,
        }
        return encode(Message("moment", facts, {"rows": self.rows.since(first_row)}))

    def _take_moment(self, message: Message) -> None:
        self.has_moment = True
        self._facts |= {"is_problem": False, **message.facts}
        frames = message.facts["frames"]
        # A trainer that was killed goes on from an earlier epoch.
        last = frames[0] - 1 if frames else self.epoch
        self.kept = [epoch for epoch in self.kept if epoch <= last] + frames
        self.is_coming = self.is_coming and "weights" not in message.arrays
        self.rows.forget_after(self.epoch)
        self.num_lasting_rows = self.rows.add(message.arrays["rows"])
        if "weights" in message.arrays:
            self.weights = np.array(message.arrays["weights"])

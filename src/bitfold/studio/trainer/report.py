"""What a trainer tells the server: the newest moment, and lines for a person."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from bitfold.audit import AuditRow
from bitfold.studio.described import (
    changes_message,
    points_message,
    settings_message,
    target_message,
)
from bitfold.studio.marks import Mark, marks_message, marks_of
from bitfold.studio.wire.message import Message
from bitfold.training import Audited, EpochEnded, RunStarted, Session
from bitfold.training.store.metrics import METRIC_NAMES

#: Columns of the rows of a moment, in order.
COLUMNS: Final = METRIC_NAMES
# Shortest time between two moments: a screen shows 60 pictures a second.
_LEAST_SECONDS = 1 / 60
# Lines of code that are named for one finding of an audit.
_MOST_SITES = 4

Send = Callable[[Message], None]


@dataclass
class Standing:
    """What a run is doing.

    Args:
        is_playing: whether it trains.
        is_over: whether it is trained to its end.
        note: one line on why it stands still, or what it waits for; else empty.
    """

    is_playing: bool = False
    is_over: bool = False
    note: str = ""


class Report:
    """Sends moments, at most 60 a second; rows wait for the next moment.

    Args:
        session: what is trained; a later one replaces it.
        send: takes messages.
        standing: what the run is doing; the caller keeps it.

    Attributes:
        is_watched: whether moments hold the weights: a page looks at the run.
    """

    def __init__(self, session: Session, send: Send, standing: Standing) -> None:
        self.session, self.is_watched = session, False
        self._send, self._standing = send, standing
        self._rows: list[Sequence[float]] = []
        self._frames: list[int] = []
        self._marks: list[Mark] = []
        self._sent_split: int | None = None
        self._last_seconds = 0.0

    def begin(self, started: RunStarted) -> None:
        """Keep the first frame of a new run for the next moment."""
        if started.epoch == 0:
            self._frames.append(0)

    def add(self, ended: EpochEnded) -> None:
        """Keep the metrics of an epoch for the next moment."""
        row = [ended.metrics.get(name) for name in COLUMNS]
        self._rows.append([np.nan if value is None else value for value in row])
        if ended.has_frame:
            self._frames.append(ended.epoch)

    def moment(self, *, is_urgent: bool = False) -> None:
        """Send the present moment, unless one was sent just before.

        Args:
            is_urgent: send it anyway: something changed that is not an epoch.
        """
        now = time.monotonic()
        if not is_urgent and now - self._last_seconds < _LEAST_SECONDS:
            return
        self._last_seconds = now
        arrays = {"rows": np.array(self._rows, np.float64).reshape(-1, len(COLUMNS))}
        if self.is_watched:
            weights = self.session.decoded_weights().values()
            flat = [weight.detach().to(torch.float64).reshape(-1) for weight in weights]
            arrays["weights"] = torch.cat(flat).numpy()
        frames = list(self._frames)
        self._rows.clear()
        self._frames.clear()
        standing = self._standing
        facts = {
            "epoch": self.session.epoch,
            "is_playing": standing.is_playing,
            "is_over": standing.is_over,
            "note": standing.note,
            "frames": frames,
        }
        self._send(Message("moment", facts, arrays))

    def target(self, *, can_undo: bool = False) -> None:
        """Send the pixels of the target that is learned now."""
        self._send(target_message(self.session.run.target, can_undo=can_undo))

    def settings(self) -> None:
        """Send the settings that are in force."""
        self._send(settings_message(self.session.run.config))

    def changes(self) -> None:
        """Send what was changed, by the epochs from which on it acts."""
        self._send(changes_message(self.session.run.changes))

    def points(self) -> None:
        """Send the points that are learned, if they are others than those that were sent."""
        number = self.session.run.changes.split_number()
        if number != self._sent_split:
            self._sent_split = number
            self._send(points_message(self.session.run))

    def audit(self, event: Audited) -> None:
        """Send the findings of a gradient audit."""
        facts = {"epoch": event.epoch, "is_ok": event.is_ok, "text": event.table}
        rows = [_row_facts(row) for row in event.rows]
        self._send(Message("audit", {**facts, "occasion": event.occasion, "rows": rows}))

    def marks(self) -> None:
        """Send what happened to the run, with what a later state of its folder has forgotten."""
        known = dict.fromkeys([*self._marks, *marks_of(self.session.run)])
        self._marks = sorted(known, key=lambda mark: mark.epoch)
        self._send(marks_message(self._marks))

    def line(self, kind: str, text: str) -> None:
        """Send a line for a person: a ``notice``, or why something was ``refused``."""
        self._send(Message(kind, {"text": text, "epoch": self.session.epoch}))


def _row_facts(row: AuditRow) -> dict[str, Any]:
    """Return a finding of the audit, with the lines of code where its gradient stops."""
    sites = [
        f"{Path(site.file).name}:{site.line}: {site.operation} {site.mechanism}"
        for site in row.sites[:_MOST_SITES]
    ]
    return {
        "term": row.term,
        "module": row.module,
        "verdict": row.verdict.value,
        "share": row.share,
        "norm": row.norm,
        "sites": sites,
    }

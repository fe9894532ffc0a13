"""How a member of a sweep ended, and what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from bitfold.runtime.strangers.bounded_json import is_number, shortened

_MAX_CHARACTERS = 2000
_MOST_METRICS = 200
#: Why a member has no result for now; the same command tries it again.
FAILED: Final = ("error", "crashed", "killed")
#: Reasons of `RunEnded` after which a run goes on where it was stopped.
STOPPED: Final = ("interrupted", "terminated", "paused", "unsaved")


@dataclass(frozen=True)
class MemberEnd:
    """How a member ended.

    Args:
        status: ``completed``; the name of the watchdog that stopped it, such as ``finite``;
            ``audit``; or one of `FAILED`.
        reason: one line for a person; empty if it was completed.
        epochs: that were trained.
        seconds: of all these epochs.
        threads: that its training used.
        epoch_loop: ``compiled`` or ``stepwise``.
        last: the metrics of the last epoch.
        best: the metrics of the epoch with the least validation loss, with its ``epoch``.
        file: the name of its model file in the sweep's folder; None without one.
        num_bytes: the size of that file.
        error: of the network that the file decodes to, over the picture: mean squared error, or
            share of wrong pixels.
        psnr_db: of the same network; None for classes, and where the error is 0.
    """

    status: str
    reason: str = ""
    epochs: int = 0
    seconds: float = 0.0
    threads: int = 1
    epoch_loop: str = ""
    last: Mapping[str, float] = field(default_factory=dict)
    best: Mapping[str, float] = field(default_factory=dict)
    file: str | None = None
    num_bytes: int | None = None
    error: float | None = None
    psnr_db: float | None = None

    @property
    def is_final(self) -> bool:
        """Whether the same settings would end like this again."""
        return self.status not in FAILED

    @property
    def is_completed(self) -> bool:
        """Whether all epochs were trained."""
        return self.status == "completed"

    def as_json(self) -> dict[str, Any]:
        """Return the fields that are not empty, by name."""
        content = asdict(self)
        return {name: v for name, v in content.items() if v is not None and v not in ({}, "")}


_NAMES = frozenset(one.name for one in fields(MemberEnd))


def parse_end(content: object) -> MemberEnd:
    """Return what `MemberEnd.as_json` gave, from a file that may be a stranger's.

    Raises:
        ValueError, TypeError: it is something else.
    """
    if not isinstance(content, dict) or not content.keys() <= _NAMES:
        raise ValueError(f"{shortened(content)} is no end of a member")
    end = MemberEnd(**content)
    for name in ("status", "reason", "epoch_loop", "file"):
        text = getattr(end, name)
        if not (isinstance(text, str) and len(text) <= _MAX_CHARACTERS):
            if name == "file" and text is None:
                continue
            raise ValueError(f"{name} of a member is {shortened(text)}")
    _check_numbers(end)
    return end


def _check_numbers(end: MemberEnd) -> None:
    for name in ("epochs", "threads", "num_bytes"):
        number = getattr(end, name)
        is_open = number is None and name == "num_bytes"
        # A file's size may be any; lists as long as the epochs are never made.
        if not is_open and not (isinstance(number, int) and 0 <= number < 2**63):
            raise ValueError(f"{name} of a member is {shortened(number)}")
    for name in ("epochs", "seconds", "threads", "num_bytes", "error", "psnr_db"):
        number = getattr(end, name)
        is_open = number is None and name in ("num_bytes", "error", "psnr_db")
        if not (is_open or is_number(number)):
            raise ValueError(f"{name} of a member is {shortened(number)}")
    for metrics in (end.last, end.best):
        if not isinstance(metrics, dict) or len(metrics) > _MOST_METRICS:
            raise ValueError("metrics of a member are no table")
        for name, number in metrics.items():
            if len(name) > _MAX_CHARACTERS or not is_number(number):
                raise ValueError(f"{shortened(name)} of a member is {shortened(number)}")

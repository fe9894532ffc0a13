"""What happened to a run, for the marks on its time line: what its folder has kept of it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Final

from bitfold.runtime.strangers.plain_files import read_plain
from bitfold.studio.wire.message import Message
from bitfold.training import RunRecord
from bitfold.training.watch.watchdogs import make_watchdogs

# A longer audit.txt is left out: an audit takes about 1 KB.
_MOST_BYTES: Final = 2**22
_MOST_MARKS: Final = 500
_MOST_CHARACTERS: Final = 400
_HEADING: Final = re.compile(r"After epoch (\d{1,15}), (.*)")
_CUT_ROW: Final = re.compile(r"^\S+ +\S+ +cut ", re.MULTILINE)
#: Occasions of an audit that are not lines of the trade monitor.
_PLAIN_OCCASIONS: Final = ("before the first step", "when K was changed")
_WATCHDOGS: Final = frozenset(watchdog.name for watchdog in make_watchdogs(()))


@dataclass(frozen=True)
class Mark:
    """Something that happened to a run.

    Args:
        epoch: the last epoch before it.
        kind: ``monitor`` for a report of the trade monitor, ``audit`` for a cut that an audit
            found, ``watchdog`` for a watchdog that ended the run.
        text: one line for a person.
    """

    epoch: int
    kind: str
    text: str


def marks_of(run: RunRecord) -> list[Mark]:
    """Return what a run's folder has kept, by epoch; what cannot be read is left out.

    Args:
        run: the record of the run.
    """
    found = _audited(run)
    status = run.status
    epoch, message = status.get("epoch"), status.get("message")
    if status.get("status") in _WATCHDOGS and isinstance(epoch, int):
        found.append(Mark(epoch, "watchdog", str(message)[:_MOST_CHARACTERS]))
    return sorted(found, key=lambda mark: mark.epoch)[-_MOST_MARKS:]


def marks_message(marks: list[Mark]) -> Message:
    """Return the message of all marks."""
    return Message("marks", {"marks": [asdict(mark) for mark in marks]})


def _audited(run: RunRecord) -> list[Mark]:
    try:
        text = read_plain(run.folder.audit, _MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    return [mark for part in text.split("\n\n") if (mark := _mark_of(part)) is not None]


def _mark_of(part: str) -> Mark | None:
    """Return the mark of one audit: its heading, and its table."""
    heading, _, table = part.strip("\n").partition("\n")
    read = _HEADING.fullmatch(heading)
    if read is None:
        return None
    epoch, occasion = int(read[1]), read[2][:_MOST_CHARACTERS]
    if occasion not in _PLAIN_OCCASIONS:
        return Mark(epoch, "monitor", occasion)
    if _CUT_ROW.search(table) is None:
        return None
    return Mark(epoch, "audit", "The gradient audit found a gradient that is cut.")

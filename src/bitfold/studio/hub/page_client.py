"""One page that is connected: what it looks at, and what it is still to be sent."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bitfold.errors import StudioError
from bitfold.studio.hub.outbox import Made, Outbox

_NUMBERS = itertools.count()
# Lines for a person wait each; a page that never reads loses the oldest.
_MOST_LINES = 50
#: Runs of which a page is told.
MOST_RUNS = 4


@dataclass
class View:
    """A window on a run, in one of a page's panes.

    Args:
        run: the run's name.
        facts: of the window, as the command ``look`` gives them.

    Attributes:
        is_acknowledged: whether the page has drawn what it was sent last.
        cut: what was cut last: the run's epoch and the facts; None before the first.
    """

    run: str
    facts: Mapping[str, Any]
    is_acknowledged: bool = True
    cut: tuple[int, Mapping[str, Any]] | None = None

    @property
    def epoch(self) -> int | None:
        """The epoch that is looked at; None for the newest one."""
        found = self.facts["epoch"]
        return None if found is None else int(found)

    def is_due(self, epoch: int) -> bool:
        """Whether there is something new to see, for a page that waits for it.

        Args:
            epoch: the run's newest.
        """
        shown = epoch if self.epoch is None else self.epoch
        return self.is_acknowledged and self.cut != (shown, self.facts)


@dataclass(eq=False)
class PageClient:
    """A connected page.

    Attributes:
        number: tells pages apart.
        views: number of a pane to its view.
        runs: names of the runs of which it is told.
        rows: run to the number of rows that it has been sent.
    """

    number: int = field(default_factory=lambda: next(_NUMBERS))
    outbox: Outbox = field(default_factory=Outbox)
    views: dict[int, View] = field(default_factory=dict)
    runs: set[str] = field(default_factory=set)
    rows: dict[str, int] = field(default_factory=dict)
    _lines: int = 0

    def watch(self, run: str) -> None:
        """Tell the page of a run from now on.

        Raises:
            StudioError: it is told of too many.
        """
        if run not in self.runs and len(self.runs) >= MOST_RUNS:
            raise StudioError(
                f"Cannot open {run}: a page shows at most {MOST_RUNS} runs. Close one of them."
            )
        self.runs.add(run)

    def close(self, run: str) -> None:
        """Tell the page of a run no longer, and forget its views."""
        self.runs.discard(run)
        self.rows.pop(run, None)
        self.views = {number: view for number, view in self.views.items() if view.run != run}

    def put(self, key: str, data: bytes) -> None:
        """Send a message, in place of one with the same key that still waits."""
        self.outbox.put(key, lambda: data)

    def put_made(self, key: str, made: Made) -> None:
        """Send a message that is made when its turn has come."""
        self.outbox.put(key, made)

    def put_line(self, data: bytes) -> None:
        """Send a line for a person."""
        self._lines = (self._lines + 1) % _MOST_LINES
        self.outbox.put(f"line {self._lines}", lambda: data)

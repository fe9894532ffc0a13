"""The process that cuts the windows that pages look at, and reads what runs have recorded.

It reads requests from its standard input and answers each with one message on its standard output.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import Any

import numpy as np
from torch import nn

from bitfold.errors import BitfoldError
from bitfold.polytopes import Partition, partition
from bitfold.runtime.memory.kept_memory import keep_freed_memory
from bitfold.studio.bits_message import bits_of_moment
from bitfold.studio.described import (
    changes_message,
    points_message,
    settings_message,
    target_message,
)
from bitfold.studio.marks import marks_message, marks_of
from bitfold.studio.viewer.cutting import cut, drawable, legend
from bitfold.studio.viewer.places import place_at
from bitfold.studio.viewer.run_view import RunView
from bitfold.studio.viewer.window import Window
from bitfold.studio.wire.message import Message
from bitfold.studio.wire.pipe import Sender, leave_signals_to_server, own_output, received
from bitfold.training import load_run
from bitfold.training.store.metrics import METRIC_NAMES

# Runs and cut windows that are kept.
_MOST_RUNS, _MOST_WINDOWS = 8, 16


class Viewer:
    """Answers requests; keeps runs and the windows that were cut last."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, RunView] = OrderedDict()
        self._windows: OrderedDict[str, tuple[Partition, Window]] = OrderedDict()
        self._answers = {
            "load": self._load,
            "cut": self._cut,
            "locate": self._locate,
            "history": self._history,
            "target": self._target,
            "settings": self._settings,
            "changes": self._changes,
            "marks": self._marks,
            "points": self._points,
            "bits": self._bits,
        }

    def answer(self, request: Message) -> Message:
        """Return the answer to a request; what is refused is answered in one line."""
        try:
            return self._answers[request.kind](request)
        except BitfoldError as error:
            return Message("refused", {**_address(request), "text": str(error)})

    def _load(self, _: Message) -> Message:
        """Load what the first cut needs; this takes longer than to cut."""
        network = nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU(), nn.Linear(2, 1)).eval()
        partition(network, ((-1.0, -1.0), (1.0, 1.0)), with_outputs=True)
        return Message("loaded")

    def _cut(self, request: Message) -> Message:
        facts = request.facts
        shown = self._run(facts["path"])
        shown.show(request.arrays.get("weights"), facts["epoch"])
        window = Window.of(facts)
        found = cut(shown.view, window)
        _keep(self._windows, facts["window_key"], (found, window), _MOST_WINDOWS)
        about = {
            **_address(request),
            **window.facts(),
            **legend(found, shown.view),
            "epoch": facts["epoch"],
            "faces": facts["faces"],
        }
        return Message("partition", about, drawable(found, shown.view, window, facts["faces"]))

    def _locate(self, request: Message) -> Message:
        kept = self._windows.get(request.facts["window_key"])
        if kept is None:
            return Message("place", {**_address(request), "face": -1})
        found, window = kept
        place = place_at(found, window, request.facts["x"], request.facts["y"])
        return Message("place", {**_address(request), **place})

    def _history(self, request: Message) -> Message:
        shown = self._run(request.facts["path"])
        columns = shown.run.metrics
        rows = [[_number(v) for v in columns.get(name, ())] for name in METRIC_NAMES]
        count = columns.num_epochs
        filled = [row if len(row) == count else [np.nan] * count for row in rows]
        arrays = {"rows": np.array(filled, np.float64).T.reshape(count, len(METRIC_NAMES))}
        return Message("history", {**_address(request), "kept": shown.kept_epochs()}, arrays)

    def _target(self, request: Message) -> Message:
        return _addressed(request, target_message(self._run(request.facts["path"]).run.target))

    def _settings(self, request: Message) -> Message:
        return _addressed(request, settings_message(self._run(request.facts["path"]).run.config))

    def _changes(self, request: Message) -> Message:
        return _addressed(request, changes_message(self._run(request.facts["path"]).run.changes))

    def _marks(self, request: Message) -> Message:
        return _addressed(request, marks_message(marks_of(self._run(request.facts["path"]).run)))

    def _points(self, request: Message) -> Message:
        return _addressed(request, points_message(self._run(request.facts["path"]).run))

    def _bits(self, request: Message) -> Message:
        facts = request.facts
        found = bits_of_moment(load_run(facts["path"]), facts["epoch"])
        told = {**found.facts, "is_present": facts["is_present"]}
        return _addressed(request, Message(found.kind, told, found.arrays))

    def _run(self, path: str) -> RunView:
        if path not in self._runs or self._runs[path].is_replaced():
            _keep(self._runs, path, RunView(path), _MOST_RUNS)
        return self._runs[path]


def _address(request: Message) -> dict[str, object]:
    """Return the facts of a request by which the server finds who asked."""
    return {
        name: request.facts[name] for name in ("client", "view", "run") if name in request.facts
    }


def _addressed(request: Message, answer: Message) -> Message:
    return Message(answer.kind, {**answer.facts, **_address(request)}, answer.arrays)


def _number(value: float | int | None) -> float:
    return np.nan if value is None else float(value)


def _keep(kept: OrderedDict[str, Any], key: str, value: Any, most: int) -> None:
    """Keep a value, and forget the one that was kept first if there are too many."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


def main() -> int:
    """Answer requests until the input ends."""
    leave_signals_to_server()
    keep_freed_memory()
    send, viewer = Sender(own_output()), Viewer()
    for request in received(sys.stdin.buffer):
        send(viewer.answer(request))
    return 0


if __name__ == "__main__":
    sys.exit(main())

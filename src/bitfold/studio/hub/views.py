"""What pages look at, and which window is cut next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from bitfold.errors import StudioError
from bitfold.studio.hub.live_run import LiveRun
from bitfold.studio.hub.page_client import PageClient, View
from bitfold.studio.wire.commands import Command
from bitfold.studio.wire.message import Message, encode, header_of

_PLACED = ("run", "view")
#: The address of answers that are not for one page.
NOBODY: Final = -1
_RECORD = ("target", "settings", "changes", "marks", "points", "history")


class Views:
    """The views of all pages; the newest moment of each is cut, the one that waits longest first.

    Args:
        clients: the connected pages, by number.
        live: the runs that are known, by name.
    """

    def __init__(self, clients: Mapping[int, PageClient], live: Mapping[str, LiveRun]) -> None:
        self._clients, self._live = clients, live
        self._last: tuple[int, int] = (-1, -1)  # page and view that were served last
        self._questions: OrderedDict[str, Message] = OrderedDict()

    def look(self, client: PageClient, command: Command) -> None:
        """Set the window of a view."""
        facts = {k: v for k, v in command.values.items() if k not in _PLACED}
        view = client.views.get(command["view"])
        if view is None or view.run != command["run"]:
            client.views[command["view"]] = View(command["run"], facts)
        else:
            view.facts = facts

    def acknowledge(self, client: PageClient, command: Command) -> None:
        """Note that a page has drawn what it was sent."""
        view = client.views.get(command["view"])
        if view is not None:
            view.is_acknowledged = True

    def locate(self, client: PageClient, command: Command) -> None:
        """Ask what is at a point of the window that was cut last for a view."""
        view = client.views.get(command["view"])
        if view is None:
            return
        key = _window_key(client, command["view"])
        facts = {
            "client": client.number,
            "run": view.run,
            "window_key": key,
            **command.values,
        }
        self._questions[f"locate {key}"] = Message("locate", facts)

    def ask_bits(self, client: PageClient, live: LiveRun, epoch: int | None) -> None:
        """Ask what the weights of a recorded moment cost; None: of the newest one."""
        facts = {
            "client": client.number,
            "run": live.name,
            "path": live.path,
            "epoch": live.epoch if epoch is None else epoch,
            "is_present": epoch is None,
        }
        self._questions[f"bits {client.number}"] = Message("bits", facts)

    def read_record(self, live: LiveRun) -> None:
        """Ask once for what a run's folder holds; its files stay as they are."""
        if live.is_record_asked:
            return
        live.is_record_asked = True
        facts = {"client": NOBODY, "run": live.name, "path": live.path}
        for kind in _RECORD:
            self._questions[f"{kind} {live.name}"] = Message(kind, facts)

    def seen_live(self) -> set[str]:
        """Return the names of the runs whose newest moment is looked at."""
        return {view.run for _, _, view in self._all() if view.epoch is None}

    def next_request(self) -> Message | None:
        """Return what the cutting process should do now; None for nothing."""
        if self._questions:
            return self._questions.popitem(last=False)[1]
        due = [(c.number, n) for c, n, view in self._all() if self._is_due(view)]
        if not due:
            return None
        later = [place for place in due if place > self._last]
        self._last = min(later or due)
        client = self._clients[self._last[0]]
        return self._cut_request(client, self._last[1])

    def save_request(self, client: PageClient, command: Command) -> Message:
        """Return the request for a file of what a view shows.

        Raises:
            StudioError: the view shows nothing.
        """
        if command["view"] not in client.views:
            raise StudioError("Cannot save: expected a run that is shown, got none. Open one.")
        found = self._request(client, command["view"], "save")
        return Message("save", {**found.facts, "format": command["format"]}, found.arrays)

    def _cut_request(self, client: PageClient, number: int) -> Message:
        view = client.views[number]
        found = self._request(client, number, "cut")
        view.cut, view.is_acknowledged = (found.facts["epoch"], view.facts), False
        return found

    def _request(self, client: PageClient, number: int, kind: str) -> Message:
        view = client.views[number]
        live = self._live[view.run]
        epoch = live.epoch if view.epoch is None else view.epoch
        facts = {
            **view.facts,
            "client": client.number,
            "view": number,
            "run": live.name,
            "path": live.path,
            "epoch": epoch,
            "window_key": _window_key(client, number),
        }
        if view.epoch is None and live.weights is not None:
            return Message(kind, facts, {"weights": live.weights})
        return Message(kind, facts)

    def hear(self, data: bytes) -> None:
        """Hand an answer on to the page that asked."""
        facts, _ = header_of(data)
        client = self._clients.get(facts["client"])
        if client is None:
            return
        if facts["kind"] == "refused":
            self._refuse(client, facts)
        else:
            client.put(f"{facts['kind']} {facts.get('view')}", data)

    def fail(self, request: Message, reason: str) -> None:
        """Tell who asked why there is no answer; of a run's record, all pages that show the run."""
        run, number = request.facts["run"], request.facts["client"]
        facts = {**request.facts, "text": f"Cannot show {run}: {reason}."}
        if number == NOBODY and run in self._live:
            self._live[run].is_record_asked = False
        for client in list(self._clients.values()):
            if client.number == number or (number == NOBODY and run in client.runs):
                self._refuse(client, facts)

    def _refuse(self, client: PageClient, facts: Mapping[str, Any]) -> None:
        view = client.views.get(facts.get("view", NOBODY))
        if view is not None:
            view.is_acknowledged = True
        names = ("run", "view", "text")
        shown = {name: facts[name] for name in names if name in facts}
        client.put(f"refused {facts.get('view')}", encode(Message("refused", shown)))

    def _is_due(self, view: View) -> bool:
        live = self._live.get(view.run)
        if live is None or (view.epoch is None and not live.can_be_cut):
            return False
        return view.is_due(live.epoch)

    def _all(self) -> Iterator[tuple[PageClient, int, View]]:
        for client in self._clients.values():
            for number, view in client.views.items():
                yield client, number, view


def _window_key(client: PageClient, number: int) -> str:
    return f"{client.number} {number}"

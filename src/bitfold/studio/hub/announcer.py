"""Tells pages what is known of the runs that they have opened."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from bitfold.studio.hub.live_run import NEWEST, LiveRun
from bitfold.studio.hub.page_client import PageClient
from bitfold.studio.hub.views import NOBODY, Views
from bitfold.studio.wire.message import Message, decode, encode, header_of


class Announcer:
    """Hands news of runs on to the pages that have opened them.

    Args:
        clients: the connected pages, by number.
        live: the runs that are known, by name.
        views: what the pages look at.
    """

    def __init__(
        self, clients: Mapping[int, PageClient], live: Mapping[str, LiveRun], views: Views
    ) -> None:
        self._clients, self._live, self._views = clients, live, views

    def open(self, client: PageClient, live: LiveRun) -> None:
        """Tell a page of a run from now on, beginning with all that is known."""
        client.watch(live.name)
        client.rows[live.name] = 0
        for kind, data in live.states.items():
            client.put(f"{kind} {live.name}", data)
        if not live.is_open:
            self._views.read_record(live)
        self.tell_moment(live, client)

    def tell(self, live: LiveRun, kind: str, data: bytes) -> None:
        """Tell pages what a trainer has said."""
        if kind == "moment":
            if not live.has_history:  # a branch has the rows of its parent
                self._views.read_record(live)
            for client in self._clients.values():
                known = client.rows.get(live.name, 0)
                client.rows[live.name] = min(known, live.num_lasting_rows)
            self.tell_moment(live)
            return
        for client in self._clients.values():
            if live.name in client.runs:
                if kind in NEWEST:
                    client.put(f"{kind} {live.name}", data)
                else:
                    client.put_line(data)

    def tell_moment(self, live: LiveRun, only: PageClient | None = None) -> None:
        """Tell one page, or all, the newest moment of a run."""
        for client in [only] if only else list(self._clients.values()):
            if live.name in client.runs:
                client.put_made(f"moment {live.name}", partial(_moment, live, client))

    def say(self, text: str) -> None:
        """Tell all pages in one line what could not be done."""
        data = encode(Message("refused", {"text": text}))
        for client in self._clients.values():
            client.put_line(data)

    def hear_viewer(self, data: bytes) -> None:
        """Take an answer of the process that cuts and reads."""
        facts, _ = header_of(data)
        if facts["client"] != NOBODY:
            self._views.hear(data)
        elif facts["run"] in self._live:
            self._hear_record(self._live[facts["run"]], data)

    def _hear_record(self, live: LiveRun, data: bytes) -> None:
        """Take what a run's folder holds; what its trainer has said is newer."""
        message = decode(data)
        if message.kind == "history":
            live.take_history(message)
            for client in self._clients.values():
                client.rows[live.name] = 0
            self.tell_moment(live)
        elif message.kind == "refused":
            live.is_record_asked = False
            self.tell(live, "refused", data)
        elif not live.is_open:
            live.states[message.kind] = data
            self.tell(live, message.kind, data)


def _moment(live: LiveRun, client: PageClient) -> bytes:
    first = min(client.rows.get(live.name, 0), live.rows.count)
    client.rows[live.name] = live.rows.count
    return live.moment(first)

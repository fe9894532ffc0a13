"""What is cut: only what a page looks at."""

from __future__ import annotations

import numpy as np

from bitfold.studio.hub.live_run import LiveRun
from bitfold.studio.hub.page_client import PageClient
from bitfold.studio.hub.views import Views
from bitfold.studio.wire.commands import read_command
from bitfold.studio.wire.message import decode

LOOK = '{"kind": "look", "run": "ring", "view": 0, "x": 0, "y": 0, "half": 0.5, "aspect": 1, %s}'


def test_nothing_is_cut_while_no_page_is_open() -> None:
    """A moment is cut once for the page that looks at it, and never after that page has gone."""
    clients: dict[int, PageClient] = {}
    live = LiveRun("ring", "/runs/ring")
    live.weights = np.zeros(3)
    views = Views(clients, {"ring": live})
    assert views.next_request() is None
    client = PageClient()
    clients[client.number] = client
    assert views.next_request() is None
    views.look(client, read_command(LOOK % '"faces": "value"'))
    request = views.next_request()
    assert request is not None
    assert request.kind == "cut"
    assert views.next_request() is None
    client.views[0].is_acknowledged, client.views[0].cut = True, None
    clients.pop(client.number)
    assert views.next_request() is None


def test_a_record_that_cannot_be_read_is_told_to_the_pages_that_show_the_run() -> None:
    """The process that reads for all pages has died: who shows the run hears it, others do not."""
    clients = {client.number: client for client in (PageClient(), PageClient())}
    shows, other = clients.values()
    shows.watch("ring")
    live = LiveRun("ring", "/runs/ring")
    views = Views(clients, {"ring": live})
    views.read_record(live)
    request = views.next_request()
    assert request is not None
    views.fail(request, "it has ended")
    data = shows.outbox.take_now()
    assert data is not None
    assert decode(data).facts["text"] == "Cannot show ring: it has ended."
    assert other.outbox.take_now() is None
    assert not live.is_record_asked

"""What the hub knows of runs."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

from bitfold.errors import StudioError
from bitfold.studio.hub import background
from bitfold.studio.hub import hub as hub_module
from bitfold.studio.hub.hub import Hub
from bitfold.studio.hub.live_run import LiveRun
from bitfold.studio.hub.page_client import PageClient
from bitfold.studio.hub.runs_folder import RunsFolder
from bitfold.studio.wire.message import Message, decode, encode
from bitfold.training.store.metrics import METRIC_NAMES


def test_a_run_can_be_shown_once_its_trainer_has_told_a_moment(tmp_path: Path) -> None:
    """No page looks yet, so that the first moment has no weights; it says that they can be had."""
    hub = Hub(RunsFolder(tmp_path))
    assert not hub.can_show("")
    hub._cutter.is_loaded = True
    assert hub.can_show("")
    live = hub._live["ring"] = LiveRun("ring", str(tmp_path / "ring"))
    live.is_starting = live.is_coming = True
    assert not hub.can_show("ring")
    rows = np.empty((0, len(METRIC_NAMES)))
    live.hear(encode(Message("moment", {"epoch": 0, "frames": []}, {"rows": rows})), _ignore)
    assert hub.can_show("ring")


def test_a_run_that_could_not_begin_is_shown_with_its_reason(tmp_path: Path) -> None:
    """A trainer that has ended is not waited for."""
    hub = Hub(RunsFolder(tmp_path))
    hub._cutter.is_loaded = True
    live = hub._live["ring"] = LiveRun("ring", str(tmp_path / "ring"))
    live.is_starting = True
    live.end("The trainer cannot be started: no memory.")
    assert hub.can_show("ring")


def test_an_older_list_of_runs_never_comes_after_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that takes long to read is told before one that was asked for later."""
    newer_is_told = threading.Event()
    told: list[list[str]] = []
    lists = iter([["ring"], []])

    def all_facts() -> list[dict[str, str]]:
        names = next(lists)
        if names:
            newer_is_told.wait(0.5)
        return [{"run": name} for name in names]

    def put(_: str, data: bytes) -> None:
        told.append([one["run"] for one in decode(data).facts["runs"]])
        if not told[-1]:
            newer_is_told.set()

    async def ask_twice() -> None:
        hub = Hub(RunsFolder(tmp_path))
        monkeypatch.setattr(hub.runs, "all_facts", all_facts)
        client = PageClient()
        monkeypatch.setattr(client, "put", put)
        await asyncio.gather(hub._tell_runs(client), hub._tell_runs(client))

    asyncio.run(ask_twice())
    assert told == [["ring"], []]


def _ignore(kind: str, told: bytes) -> None:
    del kind, told


def test_no_more_runs_are_trained_than_the_machine_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run beyond the bounded number of trainers is refused in one line with advice."""
    monkeypatch.setattr("bitfold.studio.hub.hub.MOST_TRAINERS", 0)
    with pytest.raises(StudioError, match=r"0 runs are open\. Stop one of them\."):
        Hub(RunsFolder(tmp_path)).begin({"target": "ring"})


def test_a_hub_that_cannot_choose_what_to_cut_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pages are told of the fault, and what they look at next is cut."""
    monkeypatch.setattr(background, "_REST_SECONDS", 0)
    hub = Hub(RunsFolder(tmp_path))
    page = PageClient()
    hub.clients[page.number] = page
    tries: list[None] = []
    is_chosen_again = asyncio.Event()

    def choose() -> None:
        tries.append(None)
        if len(tries) == 1:
            raise KeyError("ring")
        is_chosen_again.set()

    async def answer(_: Message) -> bytes:
        return b""

    async def act() -> None:
        work = asyncio.create_task(hub.run())
        await asyncio.wait_for(is_chosen_again.wait(), 20)
        assert not work.done()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    monkeypatch.setattr(hub._cutter, "_choose", choose)
    monkeypatch.setattr(hub._cutter, "_answer", answer)
    asyncio.run(act())
    data = page.outbox.take_now()
    assert data is not None
    assert "Cannot show runs: a fault of bitfold (KeyError: 'ring')" in decode(data).facts["text"]


def test_silence_is_looked_for_also_after_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault while the hub looks for silent trainers does not end its looking."""
    monkeypatch.setattr(background, "_REST_SECONDS", 0)
    monkeypatch.setattr(hub_module, "_TICK_SECONDS", 0)
    hub = Hub(RunsFolder(tmp_path))
    tries: list[None] = []
    looked_again = asyncio.Event()

    def find_silence(*_: float) -> None:
        tries.append(None)
        if len(tries) == 1:
            raise TypeError("no clock")
        looked_again.set()

    async def wait() -> None:
        await asyncio.sleep(60)

    async def act() -> None:
        work = asyncio.create_task(hub.run())
        await asyncio.wait_for(looked_again.wait(), 20)
        work.cancel()

    monkeypatch.setattr(hub._cutter, "run", wait)
    monkeypatch.setattr(hub, "find_silence", find_silence)
    asyncio.run(act())
    assert len(tries) > 1

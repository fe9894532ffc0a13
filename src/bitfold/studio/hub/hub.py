"""What the studio is doing: its runs, its pages, and who trains and who cuts for them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any

from bitfold.errors import BitfoldError, StudioError
from bitfold.studio.budget import CHECKPOINT_MB
from bitfold.studio.fault import log_fault
from bitfold.studio.hub.announcer import Announcer
from bitfold.studio.hub.background import Background
from bitfold.studio.hub.child import Child
from bitfold.studio.hub.cutter import Cutter
from bitfold.studio.hub.live_run import IDLE, LiveRun
from bitfold.studio.hub.page_client import PageClient
from bitfold.studio.hub.permissions import permitted_settings, permitted_target
from bitfold.studio.hub.runs_folder import RunsFolder
from bitfold.studio.hub.savers import Savers
from bitfold.studio.hub.views import Views
from bitfold.studio.wire.commands import Command
from bitfold.studio.wire.message import Message, encode, header_of

_TRAINER = "bitfold.studio.trainer.worker"
_MOST_CLIENTS = 32
_TICK_SECONDS = 2.0
#: Runs that may be trained at a time; each has a process of its own.
MOST_TRAINERS = 8
#: Settings of a new run, where the page gives none.
NEW_RUN: Mapping[str, Any] = {
    "epochs": 100_000,
    "snapshot_format": "none",
    "checkpoint_budget": CHECKPOINT_MB,
}
_TO_TRAINER = ("play", "pause", "speed", "change", "paint", "undo", "target")


class Hub:
    """Connects pages, trainers and the cutter; nothing here takes long.

    Args:
        runs: the folder of runs.
    """

    def __init__(self, runs: RunsFolder) -> None:
        self.runs = runs
        self.clients: dict[int, PageClient] = {}
        self._live: dict[str, LiveRun] = {}
        self._leaving: set[str] = set()  # runs that are being deleted
        self._is_closing = False
        self._views = Views(self.clients, self._live)
        self._announcer = Announcer(self.clients, self._live, self._views)
        self._cutter = Cutter(
            self._views.next_request, self._announcer.hear_viewer, self._views.fail
        )
        self._savers = Savers(self._hear_saver)
        self._listing = asyncio.Lock()
        self._background = Background(self._announcer.say)
        self._does: dict[str, Callable[[PageClient, Command], None]] = {
            **dict.fromkeys(_TO_TRAINER, self._order),
            "open": lambda client, command: self.open(client, command["run"]),
            "close": self._close_run,
            "bits": self._bits,
            "look": self._look,
            "forget": self._forget,
            "ack": self._views.acknowledge,
            "locate": self._views.locate,
            "save": self._save,
            "cancel": self._cancel,
            "new": self._begin_new,
            "branch": self._branch,
            "stop": self._stop_run,
            "delete": self._delete,
        }

    # --- pages

    def join(self) -> PageClient:
        """Add a page.

        Raises:
            StudioError: there are too many.
        """
        if len(self.clients) >= _MOST_CLIENTS:
            raise StudioError(f"Cannot connect: {_MOST_CLIENTS} pages are connected. Close one.")
        client = PageClient()
        self.clients[client.number] = client
        self.tell_runs(client)
        return client

    def leave(self, client: PageClient) -> None:
        """Forget a page."""
        self.clients.pop(client.number, None)
        self._savers.leave(client.number)
        self._watch()

    def carry_out(self, client: PageClient, command: Command) -> None:
        """Do what a page asks for.

        Raises:
            BitfoldError: one line that says why not.
        """
        does = self._does.get(command.kind)
        if does is None:
            raise StudioError(f"Cannot {command.kind}: this studio does not.")
        does(client, command)
        self._cutter.wake()

    def tell_runs(self, client: PageClient | None = None) -> None:
        """Tell one page, or all, which runs there are."""
        self._background.spawn("list the runs", self._tell_runs(client))

    async def _tell_runs(self, client: PageClient | None) -> None:
        async with self._listing:  # an older list never comes after a newer one
            found = await asyncio.to_thread(self.runs.all_facts)  # reads a few files of each run
            trained = {name for name, live in self._live.items() if live.trainer is not None}
            facts = [{**one, "is_trained": one["run"] in trained} for one in found]
            data = encode(Message("runs", {"runs": facts}))
            for one in [client] if client else list(self.clients.values()):
                one.put("runs", data)

    # --- runs

    def live(self, name: str) -> LiveRun:
        """Return what is known of a run.

        Raises:
            StudioError: there is no run of this name, or it is being deleted.
        """
        if name in self._leaving:
            raise StudioError(f"Cannot open run {name}: it is being deleted.")
        if name not in self._live:
            self._live[name] = LiveRun(name, str(self.runs.path(name)))
        return self._live[name]

    def open(self, client: PageClient, name: str) -> None:
        """Tell a page of a run from now on; its folder stays as it is until it is to train."""
        self._announcer.open(client, self.live(name))

    def begin(self, settings: Mapping[str, Any], *, is_playing: bool = False) -> str:
        """Begin a new run; return its name."""
        stem = PurePath(str(settings.get("target", "ring"))).stem
        live = self._claimed("".join(c for c in stem if c.isalnum() or c in "-_")[:40] or "run")
        live.has_history = True
        self._start(live, {"settings": {**NEW_RUN, **settings}})
        if is_playing:
            live.order({"kind": "play"})
        return live.name

    def _claimed(self, name: str) -> LiveRun:
        """Make the folder of a run that is to begin, unless too many runs are open."""
        self._check_room(name)
        path = self.runs.claim(name)
        live = self._live[path.name] = LiveRun(path.name, str(path))
        return live

    def _check_room(self, name: str) -> None:
        num_trainers = sum(one.is_open for one in self._live.values())
        if num_trainers >= MOST_TRAINERS:
            raise StudioError(
                f"Cannot train {name}: {num_trainers} runs are open. Stop one of them."
            )

    def _start(self, live: LiveRun, beginning: Mapping[str, Any]) -> None:
        self._check_room(live.name)
        live.start(beginning)
        self._announcer.tell_moment(live)
        training = self._train(live, {"run": live.path, **beginning})
        self._background.spawn(f"train {live.name}", training)

    def _go_on(self, live: LiveRun) -> None:
        """Start a trainer where a run stands; one that was never made begins now."""
        is_begun = Path(live.path, "config.toml").exists()
        self._start(live, {} if is_begun else live.beginning)

    async def _train(self, live: LiveRun, beginning: Mapping[str, Any]) -> None:
        try:
            reason = await self._trained(live, beginning)
        except Exception as error:
            reason = _ended_line(_told(live, error))
        live.end(reason)
        if self._live.get(live.name) is not live:
            return  # it was deleted, and its name and folder may be another run's
        self._announcer.tell_moment(live)
        if (target := live.forget_strokes()) is not None:
            self._announcer.tell(live, "target", target)
        with suppress(OSError):  # what could not begin leaves no empty folder behind
            Path(live.path).rmdir()
        self.tell_runs()
        if live.has_waiting and live.name not in self._leaving and not self._is_closing:
            self._go_on(live)

    async def _trained(self, live: LiveRun, beginning: Mapping[str, Any]) -> str:
        """Train until the trainer ends; return why it did, if it was not asked to."""
        name = f"trainer of {live.name}"
        try:
            trainer = await Child.start(_TRAINER, json.dumps(beginning), name=name)
        except OSError as error:
            return f"The trainer cannot be started: {error.strerror}."

        def hear(data: bytes) -> None:
            live.hear(data, lambda kind, told: self._tell(live, kind, told))

        try:
            live.attach(trainer)
            self._watch()
            reason = await trainer.listen(hear)
        except Exception:  # what it said cannot be read, or not be told
            await live.stop()
            raise
        return "" if reason == "exit code 0" else _ended_line(reason)

    def _tell(self, live: LiveRun, kind: str, data: bytes) -> None:
        if kind == "file":
            self._hand_file(data)
            return
        self._announcer.tell(live, kind, data)
        if kind == "moment":
            self._cutter.wake()
        elif kind == "settings":
            self.tell_runs()

    def can_show(self, name: str) -> bool:
        """Whether a page would get its first picture of a run at once.

        A trainer sends weights only while a page looks, but its first moment says that it can.

        Args:
            name: of the run; empty if there is none.
        """
        live = self._live.get(name)
        is_begun = live is None or not live.is_open or live.has_moment
        return self._cutter.is_loaded and is_begun

    # --- commands

    def _order(self, client: PageClient, command: Command) -> None:
        live = self.live(command["run"])
        order = {"kind": command.kind, **self._permitted(command)}
        if not live.is_open and command.kind not in IDLE:
            client.watch(live.name)
            self._go_on(live)
        if not live.is_open and command.kind == "undo":
            raise StudioError("Cannot undo: expected a stroke, got none. Paint first.")
        live.order(order)
        if command.kind == "speed":
            self._announcer.tell_moment(live)

    def _permitted(self, command: Command) -> dict[str, Any]:
        """Return the fields of a command, if they lead to no file outside the folder of runs."""
        values, pictures = dict(command.values), self.runs.pictures
        if command.kind == "change":
            values["settings"] = permitted_settings(values["settings"], pictures)
        elif command.kind == "target":
            values["name"] = permitted_target(values["name"], pictures)
        return values

    def _bits(self, client: PageClient, command: Command) -> None:
        live, epoch = self.live(command["run"]), command["epoch"]
        if live.takes_orders and epoch in (None, live.epoch):
            live.order({"kind": "bits"})
        else:
            self._views.ask_bits(client, live, epoch)

    def _look(self, client: PageClient, command: Command) -> None:
        self.live(command["run"])
        self._views.look(client, command)
        self._watch()

    def _close_run(self, client: PageClient, command: Command) -> None:
        client.close(command["run"])
        self._watch()

    def _forget(self, client: PageClient, command: Command) -> None:
        client.views.pop(command["view"], None)
        self._watch()

    def _save(self, client: PageClient, command: Command) -> None:
        request = self._views.save_request(client, command)
        live = self.live(request.facts["run"])
        is_present = live.takes_orders and request.facts["epoch"] == live.epoch
        if command["format"] == "bitfold" and is_present:
            live.order({"kind": "save", "run": live.name, "client": client.number})
        else:
            self._background.spawn(f"save {live.name}", self._savers.save(request))

    def _cancel(self, client: PageClient, _: Command) -> None:
        self._savers.leave(client.number)

    def _hear_saver(self, data: bytes) -> None:
        facts, _ = header_of(data)
        client = self.clients.get(facts["client"])
        if client is not None and facts["kind"] == "progress":
            client.put("progress", data)
        else:
            self._hand_file(data)

    def _hand_file(self, data: bytes) -> None:
        facts, _ = header_of(data)
        client = self.clients.get(facts["client"])
        if client is not None:
            client.put_line(data)

    def _begin_new(self, client: PageClient, command: Command) -> None:
        name = self.begin(permitted_settings(command["settings"], self.runs.pictures))
        self._show(client, name)

    def _branch(self, client: PageClient, command: Command) -> None:
        parent = self.live(command["run"])
        live = self._claimed(f"{parent.name[:60]}-from-{command['epoch']}")
        live.epochs_per_second = parent.epochs_per_second
        self._start(live, {"parent": parent.path, "epoch": command["epoch"]})
        self._show(client, live.name)

    def _show(self, client: PageClient, name: str) -> None:
        """Let a page open a run that was begun for it."""
        client.put_line(encode(Message("began", {"run": name})))

    def _stop_run(self, _: PageClient, command: Command) -> None:
        live = self.live(command["run"])
        self._background.spawn(f"stop {live.name}", live.stop())

    def _delete(self, _: PageClient, command: Command) -> None:
        live = self.live(command["run"])
        self._leaving.add(live.name)
        self._background.spawn(f"delete {live.name}", self._deleted(live))

    async def _deleted(self, live: LiveRun) -> None:
        try:
            await live.stop()
            await asyncio.to_thread(self.runs.discard, live.name)
            self._live.pop(live.name, None)
            for client in self.clients.values():
                client.close(live.name)
        finally:
            self._leaving.discard(live.name)
        self.tell_runs()

    # --- upkeep

    def _watch(self) -> None:
        """Tell each trainer whether a page looks at its newest moment."""
        seen = self._views.seen_live()
        for live in self._live.values():
            if live.takes_orders:
                live.order({"kind": "watch", "is_watched": live.name in seen})

    async def run(self) -> None:
        """Serve until cancelled."""
        await asyncio.gather(
            self._background.keep("show runs", self._cutter.run),
            self._background.keep("look for silent trainers", self._find_silence),
        )

    async def _find_silence(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            before, last = last, time.monotonic()
            self.find_silence(before, last)

    def find_silence(self, before: float, now: float) -> None:
        """Say which trainers do not answer; time in which the machine slept does not count.

        Args:
            before: when this was done last, by the monotonic clock.
            now: the present.
        """
        for live in self._live.values():
            if now - before > 2 * _TICK_SECONDS:
                live.listen_anew(now)
            elif live.falls_silent(now):
                self._announcer.tell_moment(live)

    async def close(self) -> None:
        """Save every session, and end all processes."""
        self._is_closing = True
        self._savers.leave()
        stopped = [live.stop() for live in self._live.values()]
        await asyncio.gather(*stopped, self._cutter.close())


def _told(live: LiveRun, error: Exception) -> str:
    """Return why a trainer was left, after an exception of this process."""
    if isinstance(error, BitfoldError):
        return str(error).rstrip(".")
    return log_fault(f"train {live.name}", error)


def _ended_line(reason: str) -> str:
    memory = " Perhaps the memory did not suffice." if "killed by signal 9" in reason else ""
    return f"The trainer has ended: {reason}.{memory} Press Play to go on from the last checkpoint."

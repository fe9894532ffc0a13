"""A run or a session in a notebook: watched, and trained between the notebook's cells."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from bitfold.errors import BitfoldError, StudioError
from bitfold.studio.export.saver import saved
from bitfold.studio.fault import fault_line, log_fault
from bitfold.studio.hub.announcer import Announcer
from bitfold.studio.hub.live_run import LiveRun
from bitfold.studio.hub.page_client import PageClient
from bitfold.studio.hub.permissions import permitted_settings, permitted_target
from bitfold.studio.hub.views import Views
from bitfold.studio.notebook.notebook_page import NotebookPage, Send
from bitfold.studio.server.settings_table import settings_table
from bitfold.studio.trainer.driver import Driver
from bitfold.studio.trainer.orders import OrdersAtHand
from bitfold.studio.viewer.worker import Viewer
from bitfold.studio.wire.commands import Command
from bitfold.studio.wire.message import VERSION, Message, encode
from bitfold.targets.drawn.builtin import builtin_names
from bitfold.training import EpochEnded, Event, Listener, RunRecord, Session
from bitfold.training.store.metrics import METRIC_NAMES

# A kernel answers other messages between two pieces of training.
_PIECE_SECONDS: Final = 0.05
# While a cell runs, the page cannot say that it has drawn the picture before.
_WATCHED_SECONDS: Final = 0.5
_TO_TRAINER: Final = ("play", "pause", "speed", "change", "paint", "undo", "target")


class _LocalTrainer(OrdersAtHand):
    """Trains in this thread."""

    async def stop(self) -> None:
        """Do nothing: the session is closed by who opened it."""


class RunPage(NotebookPage):
    """Answers a page that looks at one run.

    Args:
        send: takes the messages for the page.
        run: the record of the run.
        session: trains it; None to look at what it has recorded.
    """

    def __init__(self, send: Send, run: RunRecord, session: Session | None = None) -> None:
        super().__init__(send)
        self._run, self._session = run, session
        self._name = run.path.resolve().name
        self._live = LiveRun(self._name, str(run.path))
        self._client, self._viewer = PageClient(), Viewer()
        clients, live = {self._client.number: self._client}, {self._name: self._live}
        self._views = Views(clients, live)
        self._announcer = Announcer(clients, live, self._views)
        self._trainer = _LocalTrainer()
        self._driver: Driver | None = None
        self._listening: list[Listener] = []
        self._is_advancing, self._shown_seconds = False, 0.0
        if session is not None:
            self._live.attach(self._trainer)
            self._driver = Driver(self._joined(session), self._trainer, self._hear_driver)
            self._listen(session, self._watch)
            self._driver.describe()

    def _joined(self, session: Session) -> Callable[[Sequence[Listener]], Session]:
        def join(listeners: Sequence[Listener]) -> Session:
            for listener in listeners:
                self._listen(session, listener)
            return session

        return join

    def _listen(self, session: Session, listener: Listener) -> None:
        session.listen(listener)
        self._listening.append(listener)

    def close(self) -> None:
        """Let the session train on without this page."""
        while self._session is not None and self._listening:
            self._session.unlisten(self._listening.pop())

    def hello(self) -> Message:
        """Return the first message to a page."""
        facts = {
            "wire": VERSION,
            "columns": list(METRIC_NAMES),
            "settings": settings_table(),
            "targets": list(builtin_names()),
            "run": self._name,
            "shows": "run" if self._session is None else "session",
        }
        return Message("hello", facts)

    @property
    def is_playing(self) -> bool:
        """See `NotebookPage`."""
        return self._driver is not None and self._driver.is_playing

    def advance(self) -> float:
        """See `NotebookPage`."""
        if self._driver is None:
            return 0.0
        began = time.monotonic()
        self._is_advancing = True
        try:
            while self._driver.take_turn() and self._driver.is_playing:
                wait = self._driver.wait_seconds() or 0.0
                if wait > 0 or time.monotonic() - began > _PIECE_SECONDS:
                    break
        except BitfoldError as error:
            self._halt(str(error))
        except Exception as error:
            self._halt(fault_line(f"train {self._name}", error))
        finally:
            self._is_advancing = False
        self._show()
        return self._driver.wait_seconds() or 0.0

    def _halt(self, reason: str) -> None:
        self.refuse(reason)
        try:
            self._order({"kind": "pause"})
        except Exception as error:  # what tells of the pause may be at fault itself
            log_fault(f"pause {self._name}", error)

    # --- commands

    def _carry_out(self, command: Command) -> None:
        if command.kind == "hello":
            self._client.close(self._name)  # a page that is drawn again begins anew
            self._send(encode(self.hello()))
        elif command.kind == "open":
            self._announcer.open(self._client, self._live)
        elif command.kind == "look":
            self._views.look(self._client, command)
            self._order({"kind": "watch", "is_watched": self._name in self._views.seen_live()})
        elif command.kind == "ack":
            self._views.acknowledge(self._client, command)
        elif command.kind == "locate":
            self._views.locate(self._client, command)
        elif command.kind == "bits":
            self._bits(command)
        elif command.kind == "save":
            self._save(command)
        elif command.kind in _TO_TRAINER:
            self._train(command)
        elif command.kind not in ("forget", "close", "cancel"):
            raise StudioError(f"Cannot {command.kind}: a notebook's page does not. Use the studio.")
        self._show()

    def _train(self, command: Command) -> None:
        if self._session is None or self._session.is_over:
            raise StudioError(
                f"Cannot {command.kind} {self._name}: expected a session that goes on, got "
                f"{'a run' if self._session is None else 'one that is over'}. Give "
                "`bitfold.Session.resume(path)` to the widget."
            )
        values = dict(command.values)
        pictures = self._run.path / ".pictures"
        if command.kind == "change":
            values["settings"] = permitted_settings(values["settings"], pictures)
        elif command.kind == "target":
            values["name"] = permitted_target(values["name"], pictures)
        self._order({"kind": command.kind, **values})

    def _order(self, order: dict[str, Any]) -> None:
        """Carry out an order at once; what it plays is trained later, by `advance`."""
        if self._driver is not None:
            self._live.order(order)
            self._driver.obey()

    def _bits(self, command: Command) -> None:
        epoch, session = command["epoch"], self._session
        is_newest = epoch in (None, self._live.epoch)
        if is_newest and session is not None and not session.is_over:
            self._order({"kind": "bits"})
        else:
            self._views.ask_bits(self._client, self._live, epoch)

    def _save(self, command: Command) -> None:
        request = self._views.save_request(self._client, command)
        is_now = self._driver is not None and request.facts["epoch"] == self._live.epoch
        if command["format"] == "bitfold" and is_now:
            self._order({"kind": "save", "run": self._name, "client": self._client.number})
        else:
            self._send(encode(saved(request, lambda told: None)))

    # --- news

    def _hear_driver(self, message: Message) -> None:
        self._live.hear(encode(message), self._tell)

    def _tell(self, kind: str, data: bytes) -> None:
        if kind == "file":
            self._client.put_line(data)
        else:
            self._announcer.tell(self._live, kind, data)

    def _watch(self, event: Event) -> None:
        """Show what a loop elsewhere trains."""
        if self._driver is None or self._is_advancing or not isinstance(event, EpochEnded):
            return
        if time.monotonic() - self._shown_seconds < _WATCHED_SECONDS:
            return
        self._driver.tell_moment()
        for view in self._client.views.values():
            view.is_acknowledged = True
        self._show()

    def _show(self) -> None:
        """Cut what is looked at, and send all that waits."""
        while (request := self._views.next_request()) is not None:
            self._answer(request)
        while (data := self._client.outbox.take_now()) is not None:
            self._send(data)
        self._shown_seconds = time.monotonic()

    def _answer(self, request: Message) -> None:
        try:
            self._announcer.hear_viewer(encode(self._viewer.answer(request)))
        except Exception as error:
            self._views.fail(request, log_fault(f"answer the request {request.kind}", error))

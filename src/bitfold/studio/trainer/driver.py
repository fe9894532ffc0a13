"""Advances one session as a page orders."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bitfold.errors import BitfoldError
from bitfold.studio.trainer.bits import bits_of, file_of
from bitfold.studio.trainer.canvas import Canvas
from bitfold.studio.trainer.orders import Orders
from bitfold.studio.trainer.painting import Stroke
from bitfold.studio.trainer.report import Report, Send, Standing
from bitfold.studio.wire.message import Message
from bitfold.training import (
    Audited,
    Changed,
    EpochEnded,
    Event,
    Listener,
    LoopsCompiled,
    Noticed,
    RunEnded,
    RunStarted,
    Session,
)

# A paused run looks for orders without end; a slowed one at least this often.
_LONGEST_WAIT_SECONDS = 0.2
# A run whose folder was deleted is noticed within this time.
_FOLDER_SECONDS = 1.0
# Orders that do not change what a moment says.
_SILENT = frozenset({"paint", "watch", "bits", "save"})


class Driver:
    """One session, and what the server wants of it.

    Args:
        opened: opens the session, with listeners for its events.
        orders: what the server wants.
        send: takes messages to the server.

    Raises:
        BitfoldError: the run cannot be made, or not be continued.
    """

    def __init__(
        self, opened: Callable[[Sequence[Listener]], Session], orders: Orders, send: Send
    ) -> None:
        self._orders, self._send = orders, send
        self._standing = Standing()
        self._remaining: int | None = None  # epochs until the next pause
        self._least_seconds = 0.0  # of an epoch, at a chosen speed
        self._next_seconds = 0.0
        self._seen_seconds = 0.0  # when the run's folder was seen last
        self._bits_problem = ""  # why the costs of the weights were not told last
        self._session = opened([self._listen])
        self._report = Report(self._session, send, self._standing)
        self._canvas = Canvas(self._session.run.target)
        self._does = {
            "play": self._play,
            "pause": self._pause,
            "speed": self._set_speed,
            "change": self._change,
            "paint": self._paint,
            "undo": self._undo,
            "target": self._choose_target,
            "watch": self._watch,
            "bits": self._tell_bits,
            "save": self._save,
        }

    def run(self) -> None:
        """Train and obey until the order to stop; then save."""
        self.describe()
        try:
            while self.take_turn():
                pass
            self._standing.is_playing = False
        finally:
            self._session.close()  # a run that was complete has got another one
        self._report.moment(is_urgent=True)

    def describe(self) -> None:
        """Tell all that a page should know of the run."""
        self._report.settings()
        self._report.target()
        self._report.changes()
        self._report.marks()
        self._report.points()
        self._report.moment(is_urgent=True)

    def take_turn(self) -> bool:
        """Carry out the orders that have come, and train for one event if it is playing.

        Returns:
            False at the order to stop.
        """
        goes_on = self.obey()
        if goes_on and self._standing.is_playing:
            self._advance()
        return goes_on

    @property
    def is_playing(self) -> bool:
        """Whether the next turn trains."""
        return self._standing.is_playing

    def tell_moment(self) -> None:
        """Tell the present moment, unless one was told just before."""
        self._report.moment()

    def obey(self) -> bool:
        """Carry out all orders that have come; return False at the order to stop."""
        order = self._orders.next(self.wait_seconds())
        while order is not None:
            if order["kind"] == "stop":
                return False
            self._carry_out(order)
            order = self._orders.next(0)
        if self._canvas.is_wet:
            self._try(self._learn_canvas)
        return True

    def _carry_out(self, order: Mapping[str, Any]) -> None:
        self._try(lambda: self._does[order["kind"]](order))
        if order["kind"] not in _SILENT:
            self._report.moment(is_urgent=True)

    def _try(self, action: Any) -> None:
        """Do something; if it is refused, say why and go on as before."""
        try:
            action()
        except BitfoldError as error:
            self._report.line("refused", str(error))

    def wait_seconds(self) -> float | None:
        """Return how long to wait for the next epoch at the chosen speed; None while it stands."""
        if not self._standing.is_playing:
            return None
        late = self._next_seconds - time.monotonic()
        return min(max(late, 0.0), _LONGEST_WAIT_SECONDS)

    def _advance(self) -> None:
        if time.monotonic() < self._next_seconds or not self._has_folder():
            return
        event = next(self._session, None)
        if event is None:
            self._stand("The run is over.")
        elif isinstance(event, EpochEnded):
            self._next_seconds = time.monotonic() + self._least_seconds
            self._count_epoch()

    def _has_folder(self) -> bool:
        """Whether the run's folder is still there; else stand, as all would be in vain."""
        if time.monotonic() - self._seen_seconds < _FOLDER_SECONDS:
            return True
        path = self._session.run.path
        if (path / "config.toml").is_file():
            self._seen_seconds = time.monotonic()
            return True
        self._stand(
            f"Cannot train {path.name}: its folder was moved or deleted. Put it back, or save the "
            "network now."
        )
        return False

    def _count_epoch(self) -> None:
        if self._remaining is not None:
            self._remaining -= 1
            if self._remaining <= 0:
                self._remaining = None
                self._stand("")
                return
        self._report.moment()

    def _stand(self, note: str) -> None:
        self._standing.is_playing, self._standing.note = False, note
        self._report.moment(is_urgent=True)

    def _listen(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._report.begin(event)
        elif isinstance(event, EpochEnded):
            self._report.add(event)
        elif isinstance(event, LoopsCompiled):
            self._standing.note = f"Compiling loops, {event.num_compiled} of {event.num_known}."
            self._report.moment()
            self._standing.note = ""
        elif isinstance(event, Noticed):
            self._report.line("notice", event.message)
        elif isinstance(event, Audited):
            self._report.audit(event)
            self._report.marks()
        elif isinstance(event, Changed):
            self._report.changes()
        elif isinstance(event, RunEnded) and event.reason != "paused":
            self._standing.is_over = True
            self._report.marks()
            self._stand(event.message)

    def _play(self, order: Mapping[str, Any]) -> None:
        if self._session.is_over:
            self._open_again()
        self._remaining = order.get("epochs")
        self._standing.is_playing, self._standing.note = True, ""

    def _alter(self, **changes: Any) -> None:
        """Change the session; a run that is complete goes on, unless the change is refused."""
        if self._session.is_over:
            self._open_again(**changes)
        else:
            self._session.change(**changes)

    def _open_again(self, **changes: Any) -> None:
        """Give a run that is complete as many epochs more as it has had, and change it."""
        run = self._session.run
        self._session.close()
        epochs = max(run.config.epochs, 2 * self._session.epoch)
        given = {"epochs": epochs, **changes}
        self._session = Session.resume(run.path, [self._listen], **given)
        self._report.session, self._standing.is_over = self._session, False
        self._standing.note = ""
        self._report.settings()

    def _pause(self, _: Mapping[str, Any]) -> None:
        self._remaining = None
        self._standing.is_playing = False

    def _set_speed(self, order: Mapping[str, Any]) -> None:
        rate = order["epochs_per_second"]
        self._least_seconds = 0.0 if rate is None else 1 / rate
        self._next_seconds = 0.0

    def _change(self, order: Mapping[str, Any]) -> None:
        self._alter(**order["settings"])
        self._report.points()
        self._report.settings()
        self._report.changes()

    def _paint(self, order: Mapping[str, Any]) -> None:
        self._canvas.paint(Stroke.of(dict(order)), begins=bool(order["begins"]))

    def _undo(self, _: Mapping[str, Any]) -> None:
        self._canvas.undo()

    def _choose_target(self, order: Mapping[str, Any]) -> None:
        self._alter(target=order["name"])
        self._canvas = Canvas(self._session.run.target)
        self._report.target()
        self._report.points()

    def _learn_canvas(self) -> None:
        self._alter(target=self._canvas.take())
        self._report.target(can_undo=self._canvas.can_undo)
        self._report.points()
        self._report.changes()

    def _tell_bits(self, _: Mapping[str, Any]) -> None:
        try:
            found = bits_of(self._session)
        except BitfoldError as error:
            # A page asks every other second, and would hide what else there is to say.
            is_new, self._bits_problem = str(error) != self._bits_problem, str(error)
            if is_new:
                raise
            return
        self._bits_problem = ""
        self._send(Message(found.kind, {**found.facts, "is_present": True}, found.arrays))

    def _save(self, order: Mapping[str, Any]) -> None:
        session = self._session
        name = f"{session.run.path.name}-epoch-{session.epoch}.bitfold"
        data = np.frombuffer(file_of(session), np.uint8)
        self._send(Message("file", {"client": order["client"], "name": name}, {"data": data}))

    def _watch(self, order: Mapping[str, Any]) -> None:
        was_watched, self._report.is_watched = self._report.is_watched, order["is_watched"]
        if order["is_watched"] and not was_watched:
            self._report.moment(is_urgent=True)

"""A driver without a server: what its session is in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bitfold.studio.trainer.driver import Driver
from bitfold.studio.trainer.orders import Orders
from bitfold.studio.wire.message import Message
from bitfold.training import Config, RunRecord, Session, load_run

EPOCHS = 30


class Script(Orders):
    """Gives one order after the other, each when the run stands still."""

    def __init__(self, orders: Iterator[Mapping[str, Any]]) -> None:
        self._orders = orders

    def next(self, timeout_seconds: float | None) -> Mapping[str, Any] | None:
        """See `Orders`; the time is None while the run stands still."""
        return next(self._orders) if timeout_seconds is None else None


def driven(path: Path, *orders: Mapping[str, Any]) -> tuple[RunRecord, list[Message]]:
    """Drive a new run as ordered; return what is left of it, and what the driver said."""
    config = Config(
        target="ring", size=16, shape="[4]", points=64, epochs=EPOCHS, audit=False,
        output_dir=str(path),
    )  # fmt: skip
    said: list[Message] = []
    script = Script(iter([*orders, {"kind": "stop"}]))
    Driver(lambda listeners: Session(config, listeners), script, said.append).run()
    return load_run(path), said


def test_a_completed_run_that_went_on_is_saved_and_unlocked(tmp_path: Path) -> None:
    """The order to stop saves the session that a completed run has got, to its last epoch."""
    run, _ = driven(tmp_path / "run", {"kind": "play"}, {"kind": "play", "epochs": 7})
    assert (run.status["status"], run.status["epoch"]) == ("paused", EPOCHS + 7)
    with Session.resume(run.path) as session:
        assert session.epoch == EPOCHS + 7


def test_a_refused_change_leaves_a_completed_run_as_it_is(tmp_path: Path) -> None:
    """A refused value or target is said, and the run stays complete, with the epochs it had."""
    rate = {"kind": "change", "settings": {"learning_rate": -1}}
    target = {"kind": "target", "name": "nowhere.png"}
    run, said = driven(tmp_path / "run", {"kind": "play"}, rate, target)
    refused = [str(message.facts["text"]) for message in said if message.kind == "refused"]
    assert len(refused) == 2
    assert (run.status["status"], run.config.epochs, run.changes.items) == ("completed", EPOCHS, ())
    assert said[-1].facts["is_over"]

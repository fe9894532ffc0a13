"""A run or a session in a notebook, by the server's messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitfold.experiments import code_run
from bitfold.studio.notebook.run_page import RunPage
from bitfold.studio.trainer.driver import Driver
from bitfold.studio.viewer.worker import Viewer
from bitfold.studio.wire.message import VERSION, Message, decode
from bitfold.training import Config, EpochEnded, Run, Session, load_run

LOOK = {"view": 0, "x": 0.0, "y": 0.0, "half": 0.5, "aspect": 1.0, "faces": "value"}


class Page:
    """The other end of a comm."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.page: RunPage | None = None

    def send(self, data: bytes) -> None:
        """Take a message; acknowledge each partition as a page does."""
        self.heard.append(decode(data))

    def say(self, kind: str, **fields: Any) -> None:
        """Send a command."""
        assert self.page is not None
        self.page.hear(json.dumps({"kind": kind, **fields}))

    def last(self, kind: str, fits: Callable[[Message], bool] = lambda _: True) -> Message:
        """Return the last message of a kind."""
        return next(m for m in reversed(self.heard) if m.kind == kind and fits(m))

    def count(self, kind: str) -> int:
        """Return the number of messages of a kind."""
        return sum(message.kind == kind for message in self.heard)


def opened(folder: Path, epochs: int = 50) -> Session:
    """Return a new session with K."""
    config = Config(
        target="ring", size=16, shape="[4]*2", points=64, epochs=epochs, kolmogorov_weight=0.01,
        batch_size=64, output_dir=str(folder), audit=False, snapshot_format="none",
    )  # fmt: skip
    return Session(config)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Train a run of three epochs."""
    with opened(tmp_path / "ring") as session:
        for event in session:
            if isinstance(event, EpochEnded) and event.epoch == 3:
                break
    return load_run(tmp_path / "ring")


def page_of(shown: Run | Session) -> Page:
    """Return a page that has said hello and looks at the newest moment."""
    page = Page()
    record = shown.run if isinstance(shown, Session) else shown
    page.page = RunPage(page.send, record, shown if isinstance(shown, Session) else None)
    page.say("hello", token="", version=VERSION)
    page.say("open", run="ring")
    page.say("look", run="ring", **LOOK)
    return page


def test_a_run_is_told_as_the_server_tells_it(run: Run) -> None:
    """A run's partition equals the cutting process's answer, byte for byte."""
    page = page_of(run)
    hello = page.last("hello").facts
    assert (hello["run"], hello["shows"]) == ("ring", "run")
    moment = page.last("moment")
    assert moment.facts["epoch"] == 3
    assert moment.arrays["rows"].shape == (3, len(hello["columns"]))
    facts = {**LOOK, "time": None, "epoch": 3, "run": "ring", "path": str(run.path)}
    facts |= {"client": 0, "window_key": "a"}
    expected = Viewer().answer(Message("cut", facts))
    found = page.last("partition")
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
    assert {k: v for k, v in found.facts.items() if k != "client"} == {
        k: v for k, v in expected.facts.items() if k != "client"
    }
    assert {"target", "settings", "changes", "marks", "points"} <= {m.kind for m in page.heard}


def test_earlier_moments_of_a_run_are_shown(run: Run) -> None:
    """An earlier moment is shown, and a point's values there are its network's."""
    page = page_of(run)
    page.say("ack", view=0)
    page.say("look", run="ring", **{**LOOK, "epoch": 1})
    assert page.last("partition").facts["epoch"] == 1
    page.say("locate", view=0, x=0.2, y=-0.4)
    place = page.last("place").facts
    assert place["face"] >= 0
    with np.errstate(all="ignore"):
        import torch

        expected = run.network(1).double()(torch.tensor([[0.1, -0.2]], dtype=torch.float64))
    assert place["outputs"] == pytest.approx(expected[0].tolist(), abs=1e-9)


def test_bits_follow_the_moment_that_is_shown(run: Run) -> None:
    """At a checkpoint each weight's bits are shown, and elsewhere a line says why not."""
    page = page_of(run)
    page.say("bits", run="ring", epoch=3)
    newest = page.last("bits")
    assert not newest.facts["is_present"]
    assert newest.facts["num_bytes"] == len(code_run(run, 3).data)
    priced = sum(
        run.kolmogorov(3).weight_bits()[one["name"]].sum().item() for one in newest.facts["tensors"]
    )
    assert newest.arrays["costs"].sum() == pytest.approx(priced, rel=1e-5)
    page.say("bits", run="ring", epoch=1)
    earlier = page.last("bits")
    assert earlier.facts["num_bytes"] == len(code_run(run, 1, as_seen=False).data)
    assert "no checkpoint of that epoch holds K" in earlier.facts["how"]
    assert "costs" not in earlier.arrays
    assert earlier.arrays["picture"].shape == (16, 16, 3)


def test_a_run_is_not_trained(run: Run) -> None:
    """Training a run is refused in one line that says what can be trained."""
    page = page_of(run)
    page.say("play", run="ring")
    assert "expected a session that goes on, got a run" in page.last("refused").facts["text"]


def test_a_session_plays_steps_and_pauses_between_cells(tmp_path: Path) -> None:
    """A session trains and shows its own epochs only on request: play, step and pause."""
    with opened(tmp_path / "ring") as session:
        page = page_of(session)
        assert page.page is not None
        assert not page.page.is_playing
        page.say("play", run="ring", epochs=2)
        assert (session.epoch, page.page.is_playing) == (0, True)
        while page.page.is_playing:
            page.say("ack", view=0)
            page.page.advance()
        assert session.epoch == 2
        assert page.last("moment").facts["frames"] == [0, 1, 2]
        page.say("ack", view=0)
        page.say("look", run="ring", **LOOK)
        assert page.last("partition").facts["epoch"] == 2
        assert page.last("moment").facts["is_playing"] is False
        page.say("play", run="ring")
        page.say("pause", run="ring")
        assert not page.page.is_playing


def test_a_session_waits_at_the_chosen_speed(tmp_path: Path) -> None:
    """At a tenth of an epoch a second the next epoch is waited for; at full speed it is not."""
    with opened(tmp_path / "ring") as session:
        page = page_of(session)
        assert page.page is not None
        page.say("speed", run="ring", epochs_per_second=0.1)
        page.say("play", run="ring")
        while session.epoch == 0:
            page.page.advance()
        assert page.page.advance() > 0
        assert session.epoch == 1
        page.say("speed", run="ring", epochs_per_second=None)
        while session.epoch == 1:
            page.page.advance()
        assert session.epoch >= 2


def test_lambda_and_the_target_of_a_session_are_changed(tmp_path: Path) -> None:
    """Changes of lambda and target are recorded, and a refused value is explained."""
    with opened(tmp_path / "ring") as session:
        page = page_of(session)
        page.say("change", run="ring", settings={"kolmogorov_weight": 0.5})
        stroke = {"tool": "brush", "points": [[0, 0]], "radius": 0.2, "colour": "#ffffff"}
        page.say("paint", run="ring", **stroke, begins=True)
        page.say("bits", run="ring")
        assert session.run.config.kolmogorov_weight == 0.5
        assert session.run.target.pixels[0, 8, 8, 0] == 255
        assert page.last("target").facts["can_undo"]
        assert page.last("bits").facts["num_bytes"] > 0
        page.say("change", run="ring", settings={"learning_rate": -1})
        assert "more than 0" in page.last("refused").facts["text"]
        page.say("change", run="ring", settings={"output_dir": "/"})
        assert "names files" in page.last("refused").facts["text"]
        page.say("target", run="ring", name="/etc/passwd")
        assert "Cannot learn" in page.last("refused").facts["text"]


def bits_are_of(page: Page) -> tuple[int, bool]:
    """Return the epoch of the last bits, and whether they are of the present."""
    facts = page.last("bits").facts
    return facts["epoch"], facts["is_present"]


def test_bits_say_whether_they_are_of_the_present(tmp_path: Path) -> None:
    """Bits of the session are of the present, also once it is over; recorded ones are not."""
    with opened(tmp_path / "ring") as session:
        page = page_of(session)
        page.say("play", run="ring", epochs=2)
        assert page.page is not None
        while page.page.is_playing:
            page.page.advance()
        page.say("bits", run="ring")
        assert bits_are_of(page) == (2, True)
        page.say("bits", run="ring", epoch=1)
        assert bits_are_of(page) == (1, False)
    page.say("bits", run="ring")
    assert bits_are_of(page) == (2, True)


def test_without_k_the_size_of_the_file_is_told(tmp_path: Path) -> None:
    """A session without K tells size and picture of its file, and why weights have no prices."""
    config = Config(
        target="ring", size=16, shape="[4]*2", points=64, epochs=5, kolmogorov_weight=0.0,
        output_dir=str(tmp_path / "ring"), audit=False, snapshot_format="none",
    )  # fmt: skip
    with Session(config) as session:
        page = page_of(session)
        page.say("bits", run="ring")
        page.say("save", view=0, format="bitfold")
        found = page.last("bits")
        assert found.facts["num_bytes"] == len(page.last("file").arrays["data"])
        assert "Set lambda above 0" in found.facts["how"]
        assert "costs" not in found.arrays
        assert found.arrays["picture"].shape == (16, 16, 3)


def test_a_class_is_painted(tmp_path: Path) -> None:
    """A stroke in a class's colour is learned as that class, and shown in its display colour."""
    config = Config(
        target="rgb-ring", size=16, shape="[4]*2", points=64, epochs=5,
        output_dir=str(tmp_path / "ring"), audit=False, snapshot_format="none",
    )  # fmt: skip
    with Session(config) as session:
        page = page_of(session)
        target = page.last("target").facts
        for number in (0, 1, 2):
            colour = "#" + bytes(target["class_colours"][number]).hex()
            stroke = {"tool": "brush", "points": [[0, 0]], "radius": 0.1, "colour": colour}
            page.say("paint", run="ring", **stroke, begins=True)
            assert session.run.target.classes is not None
            assert session.run.target.classes.reshape(16, 16)[8, 8] == number
            shown = page.last("target").arrays["pixels"][0, 8, 8].tolist()
            assert shown == target["shown_colours"][number]


def test_a_loop_elsewhere_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session advanced by a user's loop is shown, even before the page acknowledges a picture."""
    monkeypatch.setattr("bitfold.studio.notebook.run_page._WATCHED_SECONDS", 0.0)
    with opened(tmp_path / "ring", epochs=5000) as session:
        page = page_of(session)
        for event in session:
            # The driver tells moments at a steady rate; a fast machine trains several between two.
            if isinstance(event, EpochEnded) and page.last("partition").facts["epoch"] >= 2:
                break
    assert page.last("partition").facts["epoch"] >= 2
    page.say("play", run="ring")
    assert "got one that is over" in page.last("refused").facts["text"]


def test_a_closed_page_hears_nothing_of_its_session(tmp_path: Path) -> None:
    """After three pages are closed, the session trains on and sends none of them a message."""
    with opened(tmp_path / "ring") as session:
        pages = [page_of(session) for _ in range(3)]
        for page in pages:
            assert page.page is not None
            page.page.close()
        before = [len(page.heard) for page in pages]
        for _ in range(8):
            next(session)
        assert [len(page.heard) for page in pages] == before


def test_a_network_is_saved_in_the_size_that_was_told(tmp_path: Path) -> None:
    """A network's file has the announced size, and the visible window is saved as a partition."""
    with opened(tmp_path / "ring") as session:
        page = page_of(session)
        page.say("bits", run="ring")
        page.say("save", view=0, format="bitfold")
        file = page.last("file")
        assert len(file.arrays["data"]) == page.last("bits").facts["num_bytes"]
        page.say("save", view=0, format="npz")
        assert page.last("file").facts["name"] == "ring-epoch-0.npz"


def test_a_malformed_command_is_answered_in_one_line(run: Run) -> None:
    """A malformed command is answered in one line, as by the server."""
    page = page_of(run)
    assert page.page is not None
    for text in (
        "{",
        '{"kind": "fly"}',
        '{"kind": "look", "run": 3}',
        '{"kind": "new", "settings": {}}',
    ):
        before = page.count("refused")
        page.page.hear(text)
        assert page.count("refused") == before + 1
        assert "\n" not in page.last("refused").facts["text"]


def test_a_fault_is_told_and_the_session_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training, cutting and commands that meet a fault say so; the page plays on when asked to."""

    def fail(*_: object) -> None:
        raise LookupError("of ours")

    def told(kind: str) -> str:
        return str(page.last(kind).facts["text"]).partition(";")[0]

    fault = "a fault of bitfold (LookupError: of ours)"
    with opened(tmp_path / "ring") as session:
        page = page_of(session)
        assert page.page is not None
        page.say("play", run="ring")
        with monkeypatch.context() as faulty:
            faulty.setattr(Driver, "_advance", fail)
            page.page.advance()
        assert told("refused") == f"Cannot train ring: {fault}"
        assert not page.page.is_playing
        assert not page.last("moment").facts["is_playing"]
        page.say("play", run="ring")
        with monkeypatch.context() as faulty:  # the pause after the fault meets it again
            faulty.setattr(Driver, "_advance", fail)
            faulty.setattr(RunPage, "_order", fail)
            before = page.count("refused")
            page.page.advance()
        assert page.count("refused") == before + 1
        page.say("pause", run="ring")
        page.say("ack", view=0)
        with monkeypatch.context() as faulty:
            faulty.setattr(Viewer, "answer", fail)
            page.say("look", run="ring", **{**LOOK, "half": 0.25})
        assert told("refused") == f"Cannot show ring: {fault}"
        with monkeypatch.context() as faulty:
            faulty.setattr(RunPage, "_train", fail)
            page.say("play", run="ring")
        assert told("refused") == f"Cannot do what the page asks for: {fault}"
        page.say("play", run="ring", epochs=1)
        while page.page.is_playing:
            page.page.advance()
        assert page.last("moment").facts["epoch"] == 1
        page.say("look", run="ring", **LOOK)
        assert page.last("partition").facts["epoch"] == 1

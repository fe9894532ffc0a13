"""A server in trouble: the page gets a line, and no saved state is lost."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import shutil
import signal
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from bitfold.studio.hub.live_run import SILENT_SECONDS
from bitfold.studio.trainer import worker
from bitfold.studio.wire.commands import MAX_BYTES
from bitfold.studio.wire.message import VERSION, Message, decode
from bitfold.training import RunFolder, load_run
from tests.studio.test_server import LOOK, Page, page_of, parts_of, url

__all__ = ["url"]  # a fixture

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


def trainer_of(url: str, run: str = "ring") -> int:
    """Return the process that trains a run of the server."""
    folder = f'"{parts_of(url)[2] / run}"'
    for _ in range(100):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # the process has ended
                words = path.read_text(errors="replace")
                if "trainer.worker" in words and folder in words:
                    return int(path.parent.name)
        time.sleep(0.1)
    raise LookupError(run)


def opened(page: Page, run: str = "ring") -> Message:
    """Open a run, train an epoch so that a process exists, and return the moment."""
    page.say("open", run=run)
    page.hear("settings")  # the run is new, or is read from its folder
    epoch = page.hear("moment").facts["epoch"]
    page.say("play", run=run, epochs=1)
    return page.hear("moment", lambda m: m.facts["epoch"] > epoch and not m.facts["is_playing"])


def problem(page: Page) -> str:
    """Wait for a note of a problem."""
    return str(page.hear("moment", lambda m: bool(m.facts["is_problem"])).facts["note"])


@linux
def test_a_trainer_that_is_killed_is_reported_and_goes_on(url: str) -> None:
    """The page names how a killed trainer ended, and Play continues from the last checkpoint."""
    with page_of(url) as page:
        opened(page)
        os.kill(trainer_of(url), signal.SIGKILL)
        assert problem(page) == (
            "The trainer has ended: killed by signal 9. Perhaps the memory did not suffice. Press "
            "Play to go on from the last checkpoint."
        )
        page.say("play", run="ring", epochs=2)
        page.hear("moment", lambda m: m.facts["is_playing"])
        moment = page.hear("moment", lambda m: m.facts["epoch"] >= 2 and not m.facts["is_playing"])
        assert (moment.facts["is_problem"], moment.facts["note"]) == (False, "")


@linux
@pytest.mark.slow
def test_a_run_whose_trainer_is_killed_at_once_begins_anew(url: str) -> None:
    """A run whose trainer is killed at once begins again, though its folder is empty."""
    with page_of(url) as page:
        page.say("new", settings={"target": "ring", "size": 16, "points": 64, "audit": False})
        name = str(page.hear("began").facts["run"])
        page.say("open", run=name)
        os.kill(trainer_of(url, name), signal.SIGKILL)
        assert "killed by signal 9" in problem(page)
        page.say("play", run=name, epochs=1)
        page.hear("moment", lambda m: m.facts["run"] == name and m.facts["epoch"] == 1)
        page.say("stop", run=name)
        page.hear("moment", lambda m: m.facts["run"] == name and not m.facts["is_trained"])


@linux
@pytest.mark.slow
def test_a_trainer_that_is_stopped_is_named_until_it_goes_on(url: str) -> None:
    """A stopped trainer is named until it continues, and the server keeps answering."""
    with page_of(url) as page:
        opened(page)
        process = trainer_of(url)
        os.kill(process, signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert "does not answer" in problem(page)
            assert time.monotonic() - began > SILENT_SECONDS - 4
        finally:
            os.kill(process, signal.SIGCONT)
        page.hear("moment", lambda m: not m.facts["is_problem"])


@pytest.mark.parametrize(
    ("error", "is_told"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes"), True),
        (RuntimeError("a fault of ours"), False),
    ],
)
def test_a_trainer_without_memory_says_so(
    error: Exception, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trainer's want of memory is named; other errors of ours are not taken for it."""
    said: list[Message] = []
    monkeypatch.setattr(worker, "own_output", io.BytesIO)
    monkeypatch.setattr(worker, "Sender", lambda _: said.append)
    monkeypatch.setattr(worker, "_say_alive", lambda _: None)
    monkeypatch.setattr(worker, "OrdersOfServer", lambda _: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["worker", '{"run": "ring"}'])

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(worker, "Driver", fail)
    if is_told:
        assert worker.main() == 1
        assert [message.kind for message in said] == ["ended"]
        assert "the memory does not suffice" in said[0].facts["text"]
    else:
        with pytest.raises(RuntimeError):
            worker.main()


@pytest.mark.slow
def test_a_run_that_another_process_trains_is_left_to_it(url: str) -> None:
    """While `bitfold resume` has the lock the page says so, and Play trains after it."""
    with page_of(url) as page:
        opened(page)
        page.say("stop", run="ring")
        page.hear("moment", lambda m: not m.facts["is_trained"])
        with RunFolder(parts_of(url)[2] / "ring").lock():
            page.say("play", run="ring", epochs=1)
            assert "another process" in str(page.hear("ended").facts["text"])
            assert "another process" in problem(page)
        page.say("play", run="ring", epochs=1)
        page.hear("moment", lambda m: m.facts["is_trained"] and not m.facts["is_problem"])


@pytest.mark.slow
def test_a_folder_that_is_taken_away_stops_its_run(url: str) -> None:
    """A run whose folder is moved away stops, and continues once the folder is back."""
    folder = parts_of(url)[2]
    with page_of(url) as page:
        page.say("new", settings={"target": "ring", "size": 16, "points": 64, "audit": False})
        name = str(page.hear("began").facts["run"])
        page.say("open", run=name)
        page.say("play", run=name)
        page.hear("moment", lambda m: m.facts["run"] == name and m.facts["epoch"] > 1)
        (folder / name).rename(folder.parent / "elsewhere")
        note = page.hear("moment", lambda m: "moved or deleted" in m.facts["note"])
        assert not note.facts["is_playing"]
        (folder.parent / "elsewhere").rename(folder / name)
        page.say("play", run=name)
        page.hear("moment", lambda m: m.facts["epoch"] > note.facts["epoch"])
        page.say("stop", run=name)
        page.hear("moment", lambda m: m.facts["run"] == name and not m.facts["is_trained"])


@linux
@pytest.mark.slow
def test_a_disk_without_room_is_told_and_training_goes_on(url: str) -> None:
    """With a full disk, changes are refused because they cannot be recorded; later all works."""
    with page_of(url) as page:
        page.say("new", settings={"target": "ring", "size": 16, "points": 64, "audit": False})
        name = str(page.hear("began").facts["run"])
        page.say("open", run=name)
        page.hear("moment", lambda m: m.facts["run"] == name and m.facts["is_trained"])
        process = trainer_of(url, name)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        page.say("play", run=name, epochs=120)
        assert "Cannot write" in str(page.hear("notice").facts["text"])
        page.hear("moment", lambda m: m.facts["epoch"] == 120 and not m.facts["is_playing"])
        page.say("bits", run=name)
        assert "the network's file" in str(page.hear("refused").facts["text"])
        page.say("bits", run=name)  # which says the same, once
        page.say("change", run=name, settings={"learning_rate": 0.02})
        assert "Cannot change" in str(page.hear("refused").facts["text"])
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(process, resource.RLIMIT_FSIZE, unlimited)
        page.say("change", run=name, settings={"learning_rate": 0.02})
        page.hear("settings", lambda m: m.facts["settings"]["learning_rate"] == 0.02)
        page.say("stop", run=name)
        page.hear("moment", lambda m: m.facts["run"] == name and not m.facts["is_trained"])
    run = load_run(parts_of(url)[2] / name)
    assert run.config.learning_rate == 0.02
    assert run.status["epoch"] == 120


def test_a_page_that_closes_in_a_stroke_leaves_the_piece(url: str) -> None:
    """If a page closes within a stroke, other pages see the piece and can undo it."""
    stroke = {"tool": "brush", "radius": 2}
    with page_of(url) as other:
        other.say("open", run="ring")
        before = other.hear("target").arrays["pixels"]
        with page_of(url) as page:
            page.say("paint", run="ring", points=[[0, 0]], colour="#123456", begins=True, **stroke)
            other.hear("target", lambda m: bool(m.facts["can_undo"]))
        painted = {"points": [[0.1, 0]], "colour": "#ffffff", "begins": True}
        other.say("paint", run="ring", **painted, **stroke)
        other.hear("target", lambda m: bool((m.arrays["pixels"] == 255).all()))
        for _ in range(2):
            other.say("undo", run="ring")
        other.hear("target", lambda m: bool((m.arrays["pixels"] == before).all()))


@pytest.mark.slow
def test_ten_pages_see_the_run_and_too_many_are_refused(url: str) -> None:
    """Ten pages each get the partition, and one more is refused with advice."""
    with ExitStack() as pages:
        all_pages = [pages.enter_context(page_of(url)) for _ in range(32)]
        for page in all_pages[:10]:
            page.say("open", run="ring")
            page.say("look", run="ring", **LOOK)
        for page in all_pages[:10]:
            page.hear("partition")
        with page_of(url) as one_more:
            text = str(one_more.hear("refused").facts["text"])
            assert text == "Cannot connect: 32 pages are connected. Close one."


def test_a_page_that_never_acknowledges_is_sent_nothing_more(url: str) -> None:
    """A page that never acknowledges gets no more messages, and another page gets every moment."""
    address, token, _ = parts_of(url)
    with connect(address, compression=None) as socket, page_of(url) as page:
        for command in (
            {"kind": "hello", "token": token, "version": VERSION},
            {"kind": "open", "run": "ring"},
            {"kind": "look", "run": "ring", **LOOK},
        ):
            socket.send(json.dumps(command))
        epoch = opened(page).facts["epoch"]
        page.say("look", run="ring", **LOOK)
        for number in range(1, 4):
            page.say("play", run="ring", epochs=1)
            assert page.hear("partition").facts["epoch"] <= epoch + number
        kinds = []
        while True:
            try:
                data = socket.recv(timeout=0.5)
                assert isinstance(data, bytes)
                kinds.append(decode(data).kind)
            except TimeoutError:
                break
        assert kinds.count("partition") == 1


@pytest.mark.parametrize(
    "command",
    [
        {"kind": "ack", "view": 3}, {"kind": "forget", "view": 2}, {"kind": "forget", "view": 2},
        {"kind": "locate", "view": 1, "x": 0, "y": 0}, {"kind": "save", "view": 3, "format": "svg"},
        {"kind": "pause", "run": "ring"}, {"kind": "hello", "token": "again", "version": 1},
        {"kind": "bits", "run": "no such run"}, {"kind": "branch", "run": "ring", "epoch": 10**6},
        {"kind": "look", "run": "ring", **LOOK, "epoch": 10**6},
        {"kind": "delete", "run": "no such run"}, {"kind": "stop", "run": "ring"},
        {"kind": "paint", "run": "ring", "tool": "brush", "points": [[0, 0]], "radius": 0,
         "colour": "no colour"},
    ],
)  # fmt: skip
def test_commands_out_of_order_or_repeated_harm_nothing(url: str, command: dict[str, Any]) -> None:
    """Wrong or repeated commands get at most one line each, and the connection stays open."""
    with page_of(url) as page:
        page.hear("hello")
        page.say(**command)
        page.say(**command)
        page.say("nonsense")
        while True:
            text = str(page.hear("refused").facts["text"])
            assert "\n" not in text
            assert "Traceback" not in text
            if "known kind" in text:
                break


def test_a_message_that_is_too_long_closes_the_connection(url: str) -> None:
    """A message that is too long closes its connection unread, and other pages go on."""
    with page_of(url) as page, page_of(url) as other:
        page.hear("hello")
        page.say("open", run="x" * MAX_BYTES)
        with pytest.raises(ConnectionClosed) as closed:
            page.hear("refused")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        other.say("open", run="ring")
        other.hear("moment")


def test_a_page_of_another_version_is_told_to_load_again(url: str) -> None:
    """A page of another version is told to reload, since it knows the token."""
    address, token, _ = parts_of(url)
    with connect(address) as socket:
        socket.send(json.dumps({"kind": "hello", "token": token, "version": VERSION + 1}))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        4000,
        "The page is of another version: load it again.",
    )


def test_no_clock_that_may_jump_decides_anything() -> None:
    """The studio measures time only by monotonic clocks."""
    studio = Path(worker.__file__).parents[1]
    page = Path(__file__).parents[2] / "frontend" / "src"
    for folder, ending, clock in (
        (studio, "*.py", r"time\.time\(|datetime\.now|utcnow"),
        (page, "*.ts", r"Date\.now|new Date"),
    ):
        sources = {path: path.read_text(encoding="utf-8") for path in folder.rglob(ending)}
        assert len(sources) > 10
        assert [str(path) for path, text in sources.items() if re.search(clock, text)] == []


@pytest.mark.slow
def test_deleting_a_run_that_trains_saves_it_first(url: str) -> None:
    """A deleted run that trains is saved to the trash whole, and its branch continues."""
    folder = parts_of(url)[2]
    with page_of(url) as page:
        page.say("new", settings={"target": "ring", "size": 16, "points": 64, "audit": False})
        name = str(page.hear("began").facts["run"])
        page.say("open", run=name)
        page.say("play", run=name, epochs=5)
        page.hear("moment", lambda m: m.facts["run"] == name and m.facts["epoch"] == 5)
        page.say("branch", run=name, epoch=3)
        branch = str(page.hear("began").facts["run"])
        page.say("open", run=branch)
        page.hear("moment", lambda m: m.facts["run"] == branch and m.facts["epoch"] == 3)
        page.say("delete", run=name)
        page.hear("runs", lambda m: name not in [run["run"] for run in m.facts["runs"]])
        page.say("play", run=branch, epochs=2)
        page.hear("moment", lambda m: m.facts["run"] == branch and m.facts["epoch"] == 5)
        page.say("stop", run=branch)
        page.hear("moment", lambda m: m.facts["run"] == branch and not m.facts["is_trained"])
    assert load_run(folder / ".trash" / name).last_epoch == 5
    shutil.rmtree(folder / ".trash")
    assert load_run(folder / branch).last_epoch == 5

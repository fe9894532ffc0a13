"""The server's conversation with a page, without a browser."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from bitfold.model_file import read_model
from bitfold.polytopes import load_partition, partition
from bitfold.studio.wire.message import VERSION, Message, decode
from bitfold.training import first_difference, load_run

PATIENCE_SECONDS = 180.0
SERVER = """
import sys
from bitfold.studio.server import serve
from bitfold.studio.server.assets import Assets
page = Assets({"/": ("text/html", b"<!doctype html>")})
Assets.built = classmethod(lambda cls: page)
settings = {"target": "ring", "size": 16, "shape": "[4]*2", "points": 64, "batch_size": 64,
            "kolmogorov_weight": 0.01, "audit": False}
serve.serve(sys.argv[1], begin=settings, ready=lambda url: print(url, flush=True))
"""


class Page:
    """A page that connects, sends commands and waits for answers."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def say(self, kind: str, **fields: Any) -> None:
        """Send a command."""
        self._socket.send(json.dumps({"kind": kind, **fields}))

    def hear(self, kind: str, fits: Callable[[Message], bool] = lambda _: True) -> Message:
        """Wait for a message of a fitting kind, and skip the others."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            data = self._socket.recv(timeout=PATIENCE_SECONDS)
            assert isinstance(data, bytes)
            message = decode(data)
            if message.kind == "partition":
                self.say("ack", view=message.facts["view"])
            if message.kind == kind and fits(message):
                return message
            if message.kind == "refused" and kind != "refused":
                pytest.fail(str(message.facts["text"]))
        raise TimeoutError(kind)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a server with one run, paused at epoch 0."""
    folder = tmp_path_factory.mktemp("studio") / "runs"
    command = [sys.executable, "-c", SERVER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"{server.stdout.readline().strip()}&folder={folder}"
        server.send_signal(signal.SIGINT)
        assert server.wait(PATIENCE_SECONDS) == 0


def parts_of(url: str) -> tuple[str, str, Path]:
    """Return the socket's address, the token and the folder of runs."""
    base, _, fragment = url.partition("/#")
    facts = dict(part.split("=", 1) for part in fragment.split("&"))
    return f"{base.replace('http', 'ws')}/socket", facts["token"], Path(facts["folder"])


@contextmanager
def page_of(url: str) -> Iterator[Page]:
    """Return a page that has sent the token."""
    address, token, _ = parts_of(url)
    with connect(address, compression=None) as socket:
        page = Page(socket)
        page.say("hello", token=token, version=VERSION)
        yield page


LOOK = {"view": 0, "x": 0, "y": 0, "half": 0.5, "aspect": 1, "faces": "value"}


def test_a_page_steps_paints_changes_and_what_it_did_can_be_replayed(url: str) -> None:
    """Steps, strokes and changes give the network's partitions, and a replay repeats them all."""
    with page_of(url) as page:
        hello = page.hear("hello")
        assert hello.facts["columns"][0] == "epoch"
        page.say("open", run="ring")
        pixels = page.hear("target").arrays["pixels"]
        run = load_run(parts_of(url)[2] / "ring")
        assert (pixels == run.target.pixels).all()
        page.say("look", run="ring", **LOOK)
        first = page.hear("partition")
        assert first.facts["epoch"] == 0
        page.say("play", run="ring", epochs=3)
        moment = page.hear("moment", lambda m: m.facts["epoch"] == 3 and not m.facts["is_playing"])
        assert len(moment.arrays["rows"]) <= 3
        shown = page.hear("partition", lambda m: m.facts["epoch"] == 3)
        page.say("change", run="ring", settings={"learning_rate": 0.01, "kolmogorov_weight": 0.1})
        changed = page.hear("settings", lambda m: m.facts["settings"]["learning_rate"] == 0.01)
        assert changed.facts["settings"]["kolmogorov_weight"] == 0.1
        stroke = {"tool": "brush", "points": [[0, 0]], "radius": 0.2, "colour": "#ffffff"}
        page.say("paint", run="ring", begins=True, **stroke)
        painted = page.hear("target", lambda m: bool(m.facts["can_undo"]))
        assert painted.arrays["pixels"][0, 8, 8, 0] == 255
        page.say("play", run="ring", epochs=2)
        page.hear("moment", lambda m: m.facts["epoch"] == 5 and not m.facts["is_playing"])
        page.say("stop", run="ring")
        page.hear("moment", lambda m: not m.facts["is_trained"])
    run = load_run(run.path)
    assert shown.facts["num_polytopes"] == partition(run.network(3)).num_polytopes
    assert [change.epoch for change in run.changes.items] == [4, 4]
    assert run.target.pixels[0, 8, 8, 0] == 255
    again = run.replay(run.path.parent / "again")
    assert first_difference(run, again) is None


def test_two_pages_see_what_either_paints(url: str) -> None:
    """Both pages see all strokes; the later stroke wins, and undo removes the last stroke."""
    stroke = {"tool": "brush", "points": [[0, 0]], "radius": 2}
    with page_of(url) as one, page_of(url) as two:
        for page in (one, two):
            page.say("open", run="ring")
            page.hear("target")
        one.say("paint", run="ring", begins=True, colour="#404040", **stroke)
        for page in (one, two):
            page.hear("target", lambda m: (m.arrays["pixels"] == 0x40).all())
        two.say("paint", run="ring", begins=True, colour="#808080", **stroke)
        for page in (one, two):
            page.hear("target", lambda m: (m.arrays["pixels"] == 0x80).all())
        one.say("undo", run="ring")
        for page in (one, two):
            page.hear("target", lambda m: (m.arrays["pixels"] == 0x40).all())


def test_a_branch_begins_in_its_parents_state(url: str) -> None:
    """A branch is a run of its own in its parent's state, and the page gets its name."""
    with page_of(url) as page:
        page.say("open", run="ring")
        page.say("branch", run="ring", epoch=2)
        name = page.hear("began").facts["run"]
        page.say("open", run=name)
        moment = page.hear("moment", lambda m: m.facts["run"] == name and m.facts["epoch"] == 2)
        assert moment.facts["is_trained"]
    facts = load_run(parts_of(url)[2] / name).status
    assert (Path(facts["parent"]).name, facts["parent_epoch"]) == ("ring", 2)


def test_what_is_under_the_pointer_is_the_partitions(url: str) -> None:
    """A point's outputs are those of the network."""
    with page_of(url) as page:
        page.say("open", run="ring")
        page.say("look", run="ring", **LOOK)
        epoch = page.hear("partition").facts["epoch"]
        page.say("locate", view=0, x=0.5, y=-0.5)
        place = page.hear("place")
    network = load_run(parts_of(url)[2] / "ring").network(epoch)
    expected = partition(network).evaluate(np.array([[0.25, -0.25]]))
    np.testing.assert_allclose(place.facts["outputs"], expected[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ({"kind": "change", "run": "ring", "settings": {"shape": "[9]"}}, "another `shape`"),
        ({"kind": "change", "run": "ring", "settings": {"learning_rat": 1}}, "learning_rate"),
        ({"kind": "change", "run": "ring", "settings": {"learning_rate": -1}}, "more than 0"),
        ({"kind": "open", "run": "../ring"}, "there is none of this name"),
        ({"kind": "target", "run": "ring", "name": "rign"}, "rign"),
        ({"kind": "play"}, "field run"),
        ({"kind": "nonsense"}, "known kind"),
    ],
)
def test_what_is_refused_is_said_in_one_line(
    url: str, command: dict[str, Any], problem: str
) -> None:
    """A refusal is one line, and the connection stays open."""
    with page_of(url) as page:
        page.say("open", run="ring")
        page.hear("target")
        page.say(**command)
        text = str(page.hear("refused").facts["text"])
        assert problem in text
        assert "\n" not in text
        page.say("open", run="ring")
        page.hear("moment")


@pytest.mark.parametrize(
    "hello",
    [
        '{"kind": "hello", "token": "wrong", "version": 1}',
        '{"kind": "open", "run": "ring"}',
        "nonsense",
    ],
)
def test_without_the_token_the_socket_answers_nothing(url: str, hello: str) -> None:
    """Without the token the socket closes without an answer."""
    with connect(parts_of(url)[0]) as socket:
        socket.send(hello)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=PATIENCE_SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


def test_a_page_of_another_site_cannot_connect(url: str) -> None:
    """A page of another site is refused by its origin."""
    with (
        pytest.raises(InvalidStatus),
        connect(parts_of(url)[0], origin=Origin("http://evil.example")),
    ):
        pass


def test_two_pages_that_open_a_run_at_once_start_one_trainer(url: str) -> None:
    """Two pages that open a run at once share one trainer, which gets all their orders."""
    with page_of(url) as one, page_of(url) as two:
        one.say("open", run="ring")
        one.say("stop", run="ring")
        one.hear("moment", lambda m: not m.facts["is_trained"])
        for page in (one, two):
            page.say("open", run="ring")
        one.say("change", run="ring", settings={"learning_rate": 0.02})
        two.say("change", run="ring", settings={"kolmogorov_weight": 0.2})
        for page in (one, two):
            page.hear(
                "settings",
                lambda m: (
                    (m.facts["settings"]["learning_rate"], m.facts["settings"]["kolmogorov_weight"])
                    == (0.02, 0.2)
                ),
            )


def test_what_is_said_to_be_saved_is_what_is_saved(url: str, tmp_path: Path) -> None:
    """The saved file has the announced size, its costs add up, and it can be read."""
    with page_of(url) as page:
        page.say("open", run="ring")
        page.say("look", run="ring", **LOOK)
        page.hear("partition")
        page.say("bits", run="ring")
        bits = page.hear("bits")
        page.say("save", view=0, format="bitfold")
        file = page.hear("file")
    data = file.arrays["data"].tobytes()
    assert len(data) == bits.facts["num_bytes"]
    path = tmp_path / "net.bitfold"
    path.write_bytes(data)
    run = load_run(parts_of(url)[2] / "ring")
    network = read_model(path, into=run.new_network())
    shown = [tensor for name, tensor in network.state_dict().items()]
    weights = np.concatenate([tensor.numpy().ravel() for tensor in shown])
    np.testing.assert_allclose(bits.arrays["weights"], weights, rtol=1e-6)
    items = bits.facts["items"]
    total = items["weights"] + items["out_of_range"]
    assert bits.arrays["costs"].astype(float).sum() == pytest.approx(total, rel=1e-5)
    assert bits.arrays["picture"].shape == (16, 16, 3)


@pytest.mark.parametrize(
    "kind", ["npz", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("svg", "graphml"))]
)
def test_each_format_of_a_partition_is_saved(url: str, kind: str, tmp_path: Path) -> None:
    """Each format of a partition is saved and can be opened again."""
    with page_of(url) as page:
        page.say("open", run="ring")
        page.say("look", run="ring", **LOOK)
        number = page.hear("partition").facts["num_polytopes"]
        page.say("save", view=0, format=kind)
        file = page.hear("file")
    assert str(file.facts["name"]).endswith(f".{kind}")
    path = tmp_path / f"saved.{kind}"
    path.write_bytes(file.arrays["data"].tobytes())
    if kind == "npz":
        assert load_partition(path).num_polytopes == number
    else:
        root = ElementTree.parse(path).getroot()
        nodes = root.findall(".//{http://graphml.graphdrawing.org/xmlns}node")
        assert len(nodes) == (number if kind == "graphml" else 0)


@pytest.mark.parametrize(
    "command",
    [
        {"kind": "change", "run": "ring", "settings": {"log_file": "/tmp/elsewhere.log"}},
        {"kind": "target", "run": "ring", "name": "/etc/hostname"},
        {"kind": "new", "settings": {"target": "../../secret.png"}},
        {"kind": "new", "settings": {"checkpoint_dir": "/tmp/elsewhere"}},
    ],
)
def test_no_command_leads_to_a_file_outside(url: str, command: dict[str, Any]) -> None:
    """A command that names a file outside is refused before it reaches a trainer."""
    with page_of(url) as page:
        page.say("open", run="ring")
        page.hear("target")
        page.say(**command)
        text = str(page.hear("refused").facts["text"])
        assert text.startswith(("Cannot set", "Cannot learn"))


def test_a_dropped_picture_becomes_a_run(url: str) -> None:
    """A dropped picture becomes a run in the folder of runs; other files get a one-line refusal."""
    address, token, folder = parts_of(url)
    base = address.replace("ws:", "http:").removesuffix("/socket")

    def drop(name: str, data: bytes) -> dict[str, str]:
        headers = {"x-bitfold-token": token, "x-name": name}
        request = Request(f"{base}/picture", data, headers, method="POST")
        try:
            with urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return dict(json.load(answer))
        except HTTPError as error:
            return dict(json.load(error))

    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    name = drop("../My cat.png", file.getvalue())["name"]
    assert name == "My-cat.png"
    assert (folder / ".pictures" / name).is_file()
    assert "Cannot load" in drop("notes.png", b"no picture")["problem"]
    assert not (folder / ".pictures" / "notes.png").exists()
    with page_of(url) as page:
        page.say("new", settings={"target": name, "points": 64, "batch_size": 64, "audit": False})
        run = page.hear("began").facts["run"]
        page.say("open", run=run)
        target = page.hear("target", lambda m: m.facts["run"] == run)
        assert (target.arrays["pixels"][0] == pixels).all()


def test_a_run_that_is_only_looked_at_stays_as_it_is(url: str, tmp_path: Path) -> None:
    """A run is shown and saved from its files; only an order to train starts a trainer."""
    folder = parts_of(url)[2] / "ring"
    with page_of(url) as page:
        page.say("stop", run="ring")
        page.say("open", run="ring")
        page.hear("moment", lambda m: not m.facts["is_trained"])
    copy = folder.parent / "looked-at"
    shutil.copytree(folder, copy)
    before = {path: path.read_bytes() for path in sorted(copy.rglob("*")) if path.is_file()}
    with page_of(url) as page:
        page.say("open", run=copy.name)
        page.hear("target", lambda m: m.facts["run"] == copy.name)
        page.say("look", run=copy.name, **LOOK)
        found = page.hear("partition", lambda m: m.facts["run"] == copy.name)
        page.say("locate", view=0, x=0, y=0)
        page.hear("place")
        page.say("save", view=0, format="bitfold")
        (tmp_path / "net.bitfold").write_bytes(page.hear("file").arrays["data"].tobytes())
        after = {path: path.read_bytes() for path in sorted(copy.rglob("*")) if path.is_file()}
        assert after == before
        run = load_run(copy)
        epoch = found.facts["epoch"]
        assert epoch == run.epochs()[-1]
        assert found.facts["num_polytopes"] == partition(run.network(epoch)).num_polytopes
        read_model(tmp_path / "net.bitfold", into=run.new_network())
        page.say("play", run=copy.name, epochs=1)
        page.hear("moment", lambda m: m.facts["run"] == copy.name and m.facts["epoch"] > epoch)

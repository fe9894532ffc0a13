"""How long does one step of the server's event loop take while pages do everything they can?"""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image

from benchmarks.harness.timing import Spread
from benchmarks.studio.rates import SMALL
from benchmarks.studio.serving import NAME, WINDOW, Client, Serving, serving
from bitfold.studio.server.guard import TOKEN_HEADER
from bitfold.studio.wire.commands import FACES, FORMATS

# The server notes the processor time of each callback of its loop once it has told its URL.
_WATCHED = """
import asyncio, atexit, json, signal, sys, time
took = []
run_one = asyncio.Handle._run
def watched(handle):
    began = time.thread_time()
    run_one(handle)
    took.append(time.thread_time() - began)
asyncio.Handle._run = watched
def keep():
    with open({path!r}, "w") as file:
        json.dump(sorted(took)[-{most}:], file)
atexit.register(keep)
tell = sys.stdout.write
def told(text):
    took.clear()
    return tell(text)
sys.stdout.write = told
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
"""
#: The longest steps that are kept.
MOST = 1000
_PAUSE_SECONDS = 0.2
# As many points as one message holds.
_STROKE = [[0.4 * (k % 32) / 32 - 0.2, 0.4 * (k // 32) / 32 - 0.2] for k in range(1024)]


def longest_step_ms(rounds: int) -> Spread:
    """Return the longest step of each of several studios, in milliseconds of processor time.

    Args:
        rounds: the number of studios.
    """
    return Spread.of([_longest_step() for _ in range(rounds)])


def _longest_step() -> float:
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        path = Path(folder, "steps.json")
        before = _WATCHED.format(path=str(path), most=MOST)
        with serving(shape=SMALL, before=before) as studio:
            use_everything(studio)
        found: list[float] = json.loads(path.read_text(encoding="utf-8"))
    return 1000 * found[-1]


def use_everything(studio: Serving) -> None:
    """Train, look, paint, change, save, branch and drop a picture, from two pages at once."""
    with Client(studio) as page, Client(studio) as other:
        page.say("play", run=NAME)
        page.look()
        other.look()
        page.hear("partition")
        with _listening_between(page):
            _look_around(page)
            _touch(page)
            _save_all(page)
            _branch(page)
            _drop_picture(studio)


@contextmanager
def _listening_between(page: Client) -> Iterator[None]:
    yield
    _listen(page)


def _listen(page: Client) -> None:
    for _ in page.messages(until=time.monotonic() + _PAUSE_SECONDS):
        pass


def _look_around(page: Client) -> None:
    for k in range(20):
        window = {**WINDOW, "half": 0.5 / (k + 1), "faces": FACES[k % len(FACES)]}
        page.say("look", run=NAME, **window)
        page.say("locate", view=0, x=0.01 * k, y=-0.01 * k)
        page.say("bits", run=NAME)
        _listen(page)
    for epoch in (0, 1, 10):
        page.say("look", run=NAME, epoch=epoch, **WINDOW)
        page.say("bits", run=NAME, epoch=epoch)
        _listen(page)
    page.look()


def _touch(page: Client) -> None:
    for k in range(10):
        page.say(
            "paint", run=NAME, tool="brush", points=_STROKE, radius=0.01, colour="#ffffff",
            begins=True,
        )  # fmt: skip
        page.say("change", run=NAME, settings={"kolmogorov_weight": 0.001 * (k + 1)})
        _listen(page)
    page.say("undo", run=NAME)
    page.say("target", run=NAME, name="checkerboard")


def _save_all(page: Client) -> None:
    for kind in FORMATS:
        page.say("save", view=0, format=kind)
        _listen(page)


def _branch(page: Client) -> None:
    page.say("pause", run=NAME)
    page.say("branch", run=NAME, epoch=5)
    name = page.hear("began").facts["run"]
    page.say("open", run=name)
    page.say("play", run=name, epochs=5)
    _listen(page)
    page.say("stop", run=name)
    page.say("delete", run=name)


def _drop_picture(studio: Serving) -> None:
    base, _, fragment = studio.url.partition("/#")
    token = fragment.partition("token=")[2].partition("&")[0]
    data = BytesIO()
    Image.linear_gradient("L").resize((2048, 2048)).save(data, "PNG")
    headers = {TOKEN_HEADER: token, "x-name": "gradient.png"}
    request = urllib.request.Request(f"{base}/picture", data.getvalue(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert "name" in json.load(answer)

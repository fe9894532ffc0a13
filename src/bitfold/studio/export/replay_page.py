"""Writes a recorded run as one page that opens from disk: ``bitfold export``."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import zlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from bitfold.errors import PolytopeError, StudioError
from bitfold.runtime.atomic_files import write_atomically
from bitfold.studio.built_page import PAGE
from bitfold.studio.described import (
    changes_message,
    points_message,
    settings_message,
    target_message,
)
from bitfold.studio.export.packing import packed
from bitfold.studio.marks import marks_message, marks_of
from bitfold.studio.viewer.cutting import cut
from bitfold.studio.viewer.run_view import RunView
from bitfold.studio.viewer.window import Window
from bitfold.studio.wire.message import Message, encode
from bitfold.targets import Target
from bitfold.training.store.metrics import METRIC_NAMES

#: The size of a page by default.
USUAL_BYTES: Final = 10_000_000
_LEAST_BYTES: Final = 300_000
# A target is shown with at most this many pixels on its longer side.
_TARGET_PX: Final = 256
_MOST_ROWS: Final = 3000
_SCRIPT_TAG: Final = '<script type="module" src="studio.js"></script>'
_STYLE_TAG: Final = '<link rel="stylesheet" href="studio.css">'


def _nobody(done: int, total: int) -> None:
    """Tell nobody how far the page is."""


def write_replay_page(
    path: str | Path,
    run: str | Path,
    *,
    most_bytes: int = USUAL_BYTES,
    told: Callable[[int, int], None] = _nobody,
) -> int:
    """Write a page with a run's recorded moments; it needs no server and no network.

    Moments are thinned evenly in their order until the page has the size; the first and the last
    stay.

    Args:
        path: of the page.
        run: the folder of the run.
        most_bytes: the largest size of the page, at least 300,000.
        told: called with the number of moments that are cut, and that of all; if they do not fit,
            fewer are needed, and it begins anew.

    Returns:
        The number of moments on the page.

    Raises:
        RunError: the folder holds no run, or nothing was recorded.
        PolytopeError: the network is not piecewise linear.
        StudioError: the size is too small for a page, or the page was not built.
    """
    if most_bytes < _LEAST_BYTES:
        raise StudioError(
            f"Cannot write {path}: expected at least {_LEAST_BYTES:,} bytes for a page, got "
            f"{most_bytes:,}. Allow more."
        )
    shown = RunView(str(run))
    said = [_deflated(message) for message in _said(shown)]
    room = most_bytes - sum(map(len, said)) - len(_shell("", ""))
    moments = _moments(shown, room, told)
    recorded = {"run": Path(run).resolve().name, "said": said, "moments": moments}
    page = _shell(Path(run).resolve().name, _embedded(recorded))
    write_atomically(Path(path), page.encode())
    return len(moments)


def _moments(
    shown: RunView, room: int, told: Callable[[int, int], None] = _nobody
) -> list[dict[str, Any]]:
    """Return moments that fit into a number of characters."""
    epochs = shown.kept_epochs()
    if not epochs:
        raise StudioError(f"Cannot write a page of {shown.run.path}: it has recorded no moment.")
    made = cache(partial(_moment, shown))
    last = made(epochs[-1])  # usually among the largest
    count = min(len(epochs), max(1, room // len(last["data"])))
    while True:
        chosen = np.unique(np.linspace(0, len(epochs) - 1, count).astype(int))
        found: list[dict[str, Any]] = []
        for number in chosen:
            told(len(found), len(chosen))
            found.append(made(epochs[number]))
        size = sum(len(moment["data"]) for moment in found)
        if size <= room or count == 1:
            return found
        count = max(1, int(count * room / size * 0.98))


def _moment(shown: RunView, epoch: int) -> dict[str, Any]:
    shown.show(None, epoch)
    time = 0.0 if shown.run.target.is_clip else None
    window = Window(0.0, 0.0, 0.5, 1.0, time)
    try:
        found = cut(shown.view, window)
    except PolytopeError as error:
        raise PolytopeError(f"{error} The replay page shows exact polytopes alone.") from None
    return {"epoch": epoch, "data": _deflated(packed(found, shown.view, window, epoch))}


def _said(shown: RunView) -> list[Message]:
    """Return the messages that are true of all moments."""
    run, columns = shown.run, shown.run.metrics
    count = columns.num_epochs
    table = [columns.get(name, [None] * count) for name in METRIC_NAMES]
    rows = np.array(table, np.float64).T.reshape(count, len(METRIC_NAMES))
    step = max(1, -(-count // _MOST_ROWS))
    rows = np.concatenate([rows[:-1:step], rows[-1:]]) if count else rows
    kept = shown.kept_epochs()
    about = {"run": run.path.resolve().name}
    standing = {"epoch": kept[-1] if kept else 0, "is_playing": False, "is_over": True}
    moment = {**about, **standing, "note": "", "first_row": 0, "frames": kept}
    return [
        Message("hello", {"columns": list(METRIC_NAMES), "settings": [], "targets": []}),
        *(
            Message(one.kind, {**one.facts, **about}, one.arrays)
            for one in (
                target_message(_small(run.target)),
                settings_message(run.config),
                changes_message(run.changes),
                marks_message(marks_of(run)),
                points_message(run),
            )
        ),
        Message("moment", moment, {"rows": rows}),
    ]


def _small(target: Target) -> Target:
    """Return the first frame of a target, with every k-th pixel of a large one."""
    _, height, width, _ = target.pixels.shape
    step = -(-max(height, width) // _TARGET_PX)
    pixels = target.pixels[:1, ::step, ::step].copy()
    classes = target.classes
    if classes is not None:
        by_place = classes.reshape(target.pixels.shape[:-1])[:1, ::step, ::step]
        classes = np.ascontiguousarray(by_place).reshape(-1)
    return dataclasses.replace(
        target, pixels=pixels, classes=classes, is_clip=False, frame_edges=None,
        frames_per_second=None,
    )  # fmt: skip


def _deflated(message: Message) -> str:
    return base64.b64encode(zlib.compress(encode(message), 9)).decode()


def _embedded(value: Any) -> str:
    """Return JSON that no parser of HTML takes for markup."""
    return json.dumps(value).replace("<", "\\u003c")


def _shell(title: str, recorded: str) -> str:
    """Return the page around the recording, with a policy that allows its own script alone."""
    try:
        index, style, script = (
            (PAGE / name).read_text(encoding="utf-8")
            for name in ("index.html", "studio.css", "replay.js")
        )
    except FileNotFoundError:
        raise StudioError(
            f"Cannot write a page: expected a built page in {PAGE}, got none. Run "
            "`python tools/build_page.py` in a checkout, or install a wheel."
        ) from None
    script = script.replace("</", "<\\/")
    policy = (
        "default-src 'none'; img-src blob: data:; style-src 'unsafe-inline'; "
        f"script-src '{_hash_of(script)}'; base-uri 'none'; form-action 'none'"
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    data = f'<script type="application/json" id="recorded">{recorded}</script>'
    safe_title = title.replace("&", "&amp;").replace("<", "&lt;")
    return (
        index.replace("<meta charset", f"{meta}\n  <meta charset", 1)
        .replace("<title>bitfold studio</title>", f"<title>{safe_title}, bitfold</title>")
        .replace(_STYLE_TAG, f"<style>{style}</style>")
        .replace(_SCRIPT_TAG, "")
        .replace('<body class="studio">', '<body class="studio replay recording">')
        .replace("</body>", f"{data}\n<script>{script}</script>\n</body>")
    )


def _hash_of(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"

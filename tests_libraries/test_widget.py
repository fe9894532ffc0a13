"""The widget with anywidget."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bitfold.errors import StudioError
from bitfold.studio import Widget
from bitfold.studio.wire.message import VERSION, decode
from bitfold.training import Config, Session

pytestmark = [
    pytest.mark.libraries,
    # What the libraries themselves warn of.
    pytest.mark.filterwarnings("default"),
]


def test_a_widget_sends_the_wires_messages_and_trains_between_cells(tmp_path: Path) -> None:
    """As a kernel's event loop lets it; without one, one line says what to do."""
    from bitfold.studio import Widget

    config = Config(
        target="ring", size=16, shape="[4]*2", points=64, epochs=50, kolmogorov_weight=0.01,
        output_dir=str(tmp_path / "ring"), audit=False, snapshot_format="none",
    )  # fmt: skip
    heard: list[Any] = []
    with Session(config) as session:
        widget = Widget(session)
        assert "data:" not in widget._esm[:5]
        widget.send = lambda content, buffers: heard.append(decode(bytes(buffers[0])))

        def say(kind: str, **fields: Any) -> None:
            widget._handle_custom_msg({"command": json.dumps({"kind": kind, **fields})}, [])

        say("hello", token="", version=VERSION)
        say("open", run="ring")
        say("play", run="ring", epochs=3)
        assert "expected the event loop of a notebook" in heard[-1].facts["text"]

        async def cell() -> None:
            say("play", run="ring", epochs=3)
            for _ in range(1000):
                await asyncio.sleep(0.01)
                if session.epoch == 3:
                    return

        asyncio.run(cell())
        assert session.epoch == 3
    kinds = {message.kind for message in heard}
    assert {"hello", "moment", "target", "settings", "points"} <= kinds


def test_the_example_notebook_runs_in_a_kernel(tmp_path: Path) -> None:
    """Each widget is one of the notebook, and each result has a rich display."""
    import nbformat
    from nbclient import NotebookClient

    path = Path(__file__).parents[1] / "examples" / "folds_and_bits.ipynb"
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    data = [
        out["data"] for cell in notebook.cells for out in cell.get("outputs", ()) if "data" in out
    ]
    assert sum("application/vnd.jupyter.widget-view+json" in one for one in data) >= 3
    assert sum("text/html" in one for one in data) >= 3


def test_a_widget_of_nothing_is_refused_and_dropped_in_silence() -> None:
    """What no widget can show is refused; Python drops the rest of it without a complaint."""
    dropped: list[object] = []
    before, sys.unraisablehook = sys.unraisablehook, dropped.append
    try:
        with pytest.raises(StudioError, match="Cannot"):
            Widget("nothing")  # type: ignore[arg-type] # is refused
        gc.collect()
    finally:
        sys.unraisablehook = before
    assert dropped == []

"""A partition of any module in a notebook: panned, zoomed and picked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bitfold.errors import StudioError
from bitfold.polytopes import Partition
from bitfold.polytopes.backends import NetworkBackend
from bitfold.polytopes.drawing.palette import layer_colours
from bitfold.polytopes.partition_search import partition_again
from bitfold.recording.face_colours import as_bytes
from bitfold.recording.network_view import NetworkView
from bitfold.studio.export.saver import PARTITION_FORMATS
from bitfold.studio.notebook.notebook_page import NotebookPage, Send
from bitfold.studio.notebook.partition_frame import PartitionFrame
from bitfold.studio.viewer.cutting import MAX_POLYTOPES, MAX_SECONDS, Arrays, drawable, legend
from bitfold.studio.viewer.graph import write_dual_graph
from bitfold.studio.viewer.places import place_at
from bitfold.studio.viewer.window import Window
from bitfold.studio.wire.commands import Command
from bitfold.studio.wire.message import VERSION, Message, encode

_NAME: Final = "partition"
_WHOLE: Final = Window(0.0, 0.0, 0.5, 1.0)
# A page interpolates at most so many outputs within a polytope.
_MOST_OUTPUTS: Final = 32


class PartitionPage(NotebookPage):
    """Answers a page that looks at one partition.

    Each window is cut anew from the network, with the weights that it had. A partition from a file
    is sent as it is, so that float32 ends the zoom.

    Args:
        send: takes the messages for the page.
        found: the partition.
    """

    def __init__(self, send: Send, found: Partition) -> None:
        super().__init__(send)
        self._found, self._frame = found, PartitionFrame.of(found)
        self._view = _view_of(found, self._frame)
        values = found.vertex_outputs
        self._range = float(values.min()), float(values.max())
        self._seen: tuple[Partition, Window] = (found, _WHOLE)

    @property
    def _has_network(self) -> bool:
        return isinstance(self._found.backend, NetworkBackend)

    def _carry_out(self, command: Command) -> None:
        if command.kind == "hello":
            facts = {"wire": VERSION, "columns": [], "settings": [], "targets": []}
            self._send(encode(Message("hello", {**facts, "run": _NAME, "shows": "partition"})))
        elif command.kind == "look":
            self._look(command)
        elif command.kind == "locate":
            facts = {"view": command["view"], "run": _NAME}
            place = self._place(command["x"], command["y"])
            self._send(encode(Message("place", {**facts, **place})))
        elif command.kind == "save":
            self._send(encode(self._saved(command["format"])))
        elif command.kind not in ("open", "ack", "forget", "close", "bits", "cancel"):
            raise StudioError(
                f"Cannot {command.kind} a partition: nothing trains it. Give a session to the "
                "widget."
            )

    def _look(self, command: Command) -> None:
        window = Window.of(command.values) if self._has_network else _WHOLE
        found = self._cut(window) if self._has_network else self._found
        self._seen = found, window
        arrays = drawable(found, self._view, window, command["faces"])
        if not self._has_network:
            arrays |= self._placed(arrays)
        about = {
            "run": _NAME,
            "view": command["view"],
            "epoch": None,
            "faces": command["faces"],
            **window.facts(),
            **legend(found, self._view),
            "is_squashed": False,
        }
        self._send(encode(Message("partition", about, {**arrays, **self._coloured(arrays)})))

    def _cut(self, window: Window) -> Partition:
        return partition_again(
            self._found,
            window.domain,
            self._frame.plane_of(window, self._found.plane),
            max_polytopes=MAX_POLYTOPES,
            max_seconds=MAX_SECONDS,
        )

    def _placed(self, arrays: Arrays) -> Arrays:
        """Return places in the plane's coordinates as those of the whole window."""
        centre, scale = self._frame.centre_of(_WHOLE), self._frame.scale_of(_WHOLE)
        return {
            name: ((arrays[name].reshape(-1, 2) - centre) / scale)
            .astype(np.float32)
            .reshape(arrays[name].shape)
            for name in ("corners", "folds", "boundary")
        }

    def _coloured(self, arrays: Arrays) -> Arrays:
        """Return a single output as a share of its range, and too many outputs as colours."""
        outputs = arrays.get("outputs")
        if outputs is None or self._found.picture is not None:
            return {}
        if outputs.shape[1] == 1:
            low, high = self._range
            return {"outputs": (outputs - np.float32(low)) / np.float32(max(high - low, 1e-30))}
        if outputs.shape[1] <= _MOST_OUTPUTS:
            return {}
        assert self._view.class_colours is not None
        first = outputs[arrays["face_offsets"][:-1]]
        colours: NDArray[np.uint8] = as_bytes(self._view.class_colours[first.argmax(1)])
        return {"outputs": np.empty((len(outputs), 0), np.float32), "face_colours": colours}

    def _place(self, x: float, y: float) -> dict[str, Any]:
        found, window = self._seen
        centre, scale = self._frame.centre_of(window), self._frame.scale_of(window)
        if self._has_network:
            return place_at(found, window, x, y, (self._frame.sides[0], self._frame.sides[1]))
        u, v = (centre + scale * (x, y)).tolist()
        place = place_at(found, Window(0.0, 0.0, 1.0, 1.0), u, v)
        if place["face"] >= 0:
            rows = np.array(place["map"])
            rows[:, 2] += rows[:, :2] @ centre
            share = abs(self._frame.sides[0] * self._frame.sides[1])
            place |= {"map": rows.tolist(), "area": place["area"] / share}
        return place

    def _saved(self, kind: str) -> Message:
        """Return a file of the window that is seen, in coordinates of the plane."""
        if kind not in PARTITION_FORMATS:
            raise StudioError(
                f"Cannot save {kind}: expected one of {', '.join(PARTITION_FORMATS)}."
            )
        found, window = self._found, self._seen[1]
        if self._has_network and window != _WHOLE:
            found = partition_again(found, self._frame.domain_of(window), found.plane)
        with tempfile.TemporaryDirectory(prefix="bitfold-studio-") as folder:
            path = Path(folder) / f"file.{kind}"
            if kind == "graphml":
                write_dual_graph(found, path)
            elif kind == "npz":
                found.save(path)
            else:
                found.plot().save(path)
            data = np.frombuffer(path.read_bytes(), np.uint8)
        return Message("file", {"name": f"{_NAME}.{kind}"}, {"data": data})


def _view_of(found: Partition, frame: PartitionFrame) -> NetworkView:
    """Return what outputs mean: a picture, a number whose sign decides, or classes."""
    if found.picture is not None:
        colours = found.picture.class_colours
        return NetworkView(nn.Identity(), colours, aspect=frame.aspect)
    count = found.vertex_outputs.shape[1]
    if count == 1:
        return NetworkView(nn.Identity(), None, is_squashed=True, aspect=frame.aspect)
    return NetworkView(nn.Identity(), layer_colours(count, "paper"), aspect=frame.aspect)

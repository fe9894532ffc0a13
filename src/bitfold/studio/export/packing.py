"""A partition in few bytes: shared vertices, places and outputs in 16 bits, and no edge twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes import Partition
from bitfold.recording.network_view import NetworkView
from bitfold.studio.viewer.cutting import boundary_of, legend
from bitfold.studio.viewer.window import Window
from bitfold.studio.wire.message import Message

_LARGEST: Final = 2**16 - 1
#: Most sides of a polytope that are counted in a byte.
_MOST_SIDES: Final = 255


def packed(found: Partition, view: NetworkView, window: Window, epoch: int) -> Message:
    """Return the message of a moment.

    Places are rounded to a 65,535th of the window's sides, and outputs to a 65,535th of their
    range. Each face lies beyond a side of one before, so most corners follow from those. A new
    corner is the next vertex; and each edge stands where a face walks along it first.
    ``frontend/src/replay/unpack.ts`` reads it.

    Args:
        found: the partition, in the window's own coordinates.
        view: the network that was cut.
        window: the window that was cut.
        epoch: of the moment.

    Returns:
        ``packed``, with ``sizes``: the corners of each face, 0 for a side at the rim; ``codes``:
        for each corner 0 for the next new vertex, else the number among the open sides that end in
        the corner before, the newest first, or beyond these how many vertices it lies back; ``x``,
        ``y`` and ``outputs0``, ...: of the vertices, as differences from what is expected;
        ``neurons``: of each edge, in the order of its first face, 0 for one that is no fold, else
        one more than the neuron's number; and
        ``boundary``. Names other than ``sizes`` and ``boundary`` end in the number of a byte.
    """
    outputs = found.vertex_outputs
    lows, highs = outputs.min(0), outputs.max(0)
    walk = _Walk(found)
    unit = found.vertices / (window.aspect, 1.0) / 2 + 0.5
    x, y = _whole(unit[:, 0]), _whole(unit[:, 1])
    values = _whole((outputs - lows) / np.maximum(highs - lows, 1e-300))
    sizes = np.array(walk.sizes)
    boundary = boundary_of(found, view).reshape(-1, 2) / (window.aspect, 1.0) / 2 + 0.5
    arrays = {
        "sizes": sizes.astype(np.uint8 if sizes.max() <= _MOST_SIDES else np.uint32),
        **_bytes_of("codes", np.array(walk.codes)),
        **_bytes_of("x", _differences(x[walk.vertices], _before(x[walk.vertices]))),
        **_bytes_of("y", _differences(y[walk.vertices], _before(y[walk.vertices]))),
        **_bytes_of("neurons", np.array(walk.neurons)),
        "boundary": _whole(boundary.reshape(-1, 4)),
    }
    for number, column in enumerate(values.T):
        expected = walk.expected(x.tolist(), y.tolist(), column.tolist())
        differences = _differences(column[walk.vertices], np.array(expected))
        arrays |= _bytes_of(f"outputs{number}", differences)
    facts = {
        "view": 0,
        "epoch": epoch,
        **window.facts(),
        **legend(found, view),
        "lows": lows.tolist(),
        "highs": highs.tolist(),
    }
    return Message("packed", facts, arrays)


class _Walk:
    """All faces, each across an open side of the faces before, corner by corner.

    A side is open while the face beyond it has not been met. The one that was opened last comes
    next; so its two ends need no code, and neither does where the next face lies.

    Args:
        found: the partition.

    Attributes:
        sizes: as `packed` says.
        vertices: in the order in which faces mention them first.
        codes: as `packed` says.
        neurons: as `packed` says.
    """

    def __init__(self, found: Partition) -> None:
        self.sizes: list[int] = []
        self.vertices: list[int] = []
        self.codes: list[int] = []
        self.neurons: list[int] = []
        self._numbers: dict[int, int] = {}
        self._owners = _owners(found)
        self._beyond: dict[int, list[int]] = {}  # end to the starts of the open sides, newest last
        self._triples: list[tuple[int, ...]] = []  # known vertices, to expect each new one's output
        places, offsets = found.face_vertices.tolist(), found.face_offsets.tolist()
        faces = [places[a:b] for a, b in pairwise(offsets)]
        waiting = {side: number for number, face in enumerate(faces) for side in _sides(face)}
        met = [False] * len(faces)
        for start in range(len(faces)):
            if met[start]:
                continue
            gates: list[tuple[int, int]] = []
            met[start] = True
            self._meet(faces[start], 0, gates)
            while gates:
                first, last = gates.pop()
                if first not in self._beyond.get(last, ()):
                    continue  # another face has closed the side
                beyond = waiting.get((last, first))
                if beyond is None:
                    self._beyond[last].remove(first)
                    self.sizes.append(0)
                    continue
                met[beyond] = True
                at = faces[beyond].index(last)
                self._meet([*faces[beyond][at:], *faces[beyond][:at]], 2, gates)

    def _meet(self, face: list[int], num_told: int, gates: list[tuple[int, int]]) -> None:
        """Add a face of which the first corners are told by the side that it lies beyond."""
        self.sizes.append(len(face))
        known = [vertex for vertex in face if vertex in self._numbers]
        for place in range(num_told, len(face)):
            vertex = face[place]
            if vertex in self._numbers:
                self.codes.append(self._code(vertex, face[place - 1] if place else None))
                continue
            self.codes.append(0)
            self._numbers[vertex] = len(self.vertices)
            self.vertices.append(vertex)
            self._triples.append(tuple(known))
            known.append(vertex)
        for one, other in _sides(face):
            if other in self._beyond.get(one, ()):
                self._beyond[one].remove(other)
                continue
            self._beyond.setdefault(other, []).append(one)
            gates.append((one, other))
            self.neurons.append(self._owners[min(one, other), max(one, other)])

    def _code(self, vertex: int, before: int | None) -> int:
        """Return the code of a known vertex that follows another one in its face."""
        starts = [] if before is None else self._beyond.get(before, [])
        if vertex in starts:
            return len(starts) - starts.index(vertex)
        return len(starts) + len(self.vertices) - self._numbers[vertex]

    def expected(self, x: list[int], y: list[int], values: list[int]) -> list[int]:
        """Return what is expected of each new vertex: a polytope's outputs are affine.

        Three known vertices of the face tell it; without them, the vertex before does.
        """
        found, before = [], 0
        for vertex, known in zip(self.vertices, self._triples, strict=True):
            triple = _triangle(known, x, y)
            found.append(before if triple is None else _affine(triple, vertex, x, y, values))
            before = values[vertex]
        return found


def _owners(found: Partition) -> dict[tuple[int, int], int]:
    """Return each edge's neuron, one more than its number; 0 for an edge that is no fold."""
    first = found.owner_offsets[:-1]
    has_owner = np.diff(found.owner_offsets) > 0
    neurons = np.zeros(len(first), np.int64)
    neurons[has_owner] = found.owners[first[has_owner]] + 1
    ends = np.sort(found.edges, 1).tolist()
    return {(a, b): n for (a, b), n in zip(ends, neurons.tolist(), strict=True)}


def _sides(face: Sequence[int]) -> Iterator[tuple[int, int]]:
    return zip(face, [*face[1:], face[0]], strict=True)


def _triangle(known: Sequence[int], x: list[int], y: list[int]) -> tuple[int, int, int] | None:
    """Return the first two vertices, and the first one that is not on a line with them."""
    if len(known) < 3:
        return None
    a, b = known[:2]
    for c in known[2:]:
        if (x[b] - x[a]) * (y[c] - y[a]) != (x[c] - x[a]) * (y[b] - y[a]):
            return a, b, c
    return None


def _affine(
    triple: tuple[int, int, int], vertex: int, x: list[int], y: list[int], values: list[int]
) -> int:
    """Return the value at a vertex of the affine map through three; the page rounds alike."""
    a, b, c = triple
    area = (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a])
    u = (x[vertex] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[vertex] - y[a])
    v = (x[b] - x[a]) * (y[vertex] - y[a]) - (x[vertex] - x[a]) * (y[b] - y[a])
    found = values[a] + (u / area) * (values[b] - values[a]) + (v / area) * (values[c] - values[a])
    return min(_LARGEST, max(0, int(np.floor(found + 0.5))))


def _before(numbers: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Return the number before each; 0 before the first."""
    return np.concatenate([[0], numbers[:-1].astype(np.int64)])


def _differences(numbers: NDArray[np.uint16], expected: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return differences of 16 bits, the small ones first: 0, -1, 1, -2, ..."""
    found = (numbers.astype(np.int64) - expected + 2**15) % 2**16 - 2**15
    return np.where(found >= 0, 2 * found, -2 * found - 1)


def _bytes_of(name: str, numbers: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return the first bytes of all numbers, then the second ones, ...: alike bytes pack better."""
    found, index = {}, 0
    while index == 0 or (numbers >> (8 * index)).any():
        found[f"{name}_{index}"] = (numbers >> (8 * index) & 255).astype(np.uint8)
        index += 1
    return found


def _whole(shares: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Round shares of 0 to 1 to whole numbers of 16 bits."""
    found: NDArray[np.uint16] = np.rint(np.clip(shares, 0, 1) * _LARGEST).astype(np.uint16)
    return found

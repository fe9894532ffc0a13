"""A partition in few bytes: shared vertices, places and outputs in 16 bits."""

from __future__ import annotations

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
    range. ``frontend/src/replay/unpack.ts`` reads it.

    Args:
        found: the partition, in the window's own coordinates.
        view: the network that was cut.
        window: the window that was cut.
        epoch: of the moment.
    """
    outputs = found.vertex_outputs
    lows, highs = outputs.min(0), outputs.max(0)
    has_owner = np.diff(found.owner_offsets) > 0
    folds = found.edges[has_owner]
    neurons = found.owners[found.owner_offsets[:-1][has_owner]]
    unit = found.vertices / (window.aspect, 1.0) / 2 + 0.5
    sizes = np.diff(found.face_offsets)
    arrays = {
        "x": _whole(unit[:, 0]),
        "y": _whole(unit[:, 1]),
        "sizes": sizes.astype(np.uint8 if sizes.max() <= _MOST_SIDES else np.uint32),
        "corners": _narrow(found.face_vertices),
        "outputs": _whole(((outputs - lows) / np.maximum(highs - lows, 1e-300)).T),
        "fold_first": _narrow(folds[:, 0]),
        "fold_second": _narrow(folds[:, 1]),
        "fold_neurons": _narrow(neurons),
        "boundary": boundary_of(found, view).reshape(-1, 4).astype(np.float32),
    }
    facts = {
        "view": 0,
        "epoch": epoch,
        **window.facts(),
        **legend(found, view),
        "lows": lows.tolist(),
        "highs": highs.tolist(),
    }
    return Message("packed", facts, arrays)


def _whole(shares: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Round shares of 0 to 1 to whole numbers of 16 bits."""
    found: NDArray[np.uint16] = np.rint(np.clip(shares, 0, 1) * _LARGEST).astype(np.uint16)
    return found


def _narrow(numbers: NDArray[Any]) -> NDArray[Any]:
    """Take 16 bits where they suffice."""
    is_narrow = len(numbers) == 0 or int(numbers.max()) <= _LARGEST
    return numbers.astype(np.uint16 if is_narrow else np.uint32)

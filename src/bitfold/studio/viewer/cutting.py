"""The polytopes of a window as arrays that a page can draw."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes import Partition, partition
from bitfold.polytopes.drawing.filling import identity_colours
from bitfold.polytopes.drawing.palette import layer_colours
from bitfold.polytopes.drawing.raster import fold_segments
from bitfold.polytopes.subdivision.level_sets import boundary_segments, level_segments
from bitfold.recording.face_colours import area_colours, as_bytes, slope_colours
from bitfold.recording.network_view import NetworkView
from bitfold.studio.viewer.window import Window

#: More polytopes than this are refused: a page draws at most so many in a tenth of a second.
MAX_POLYTOPES: Final = 400_000
#: A search that takes longer is given up.
MAX_SECONDS: Final = 20.0
_HALF: Final = 0.5  # the output of a grey picture between black and white

Arrays = dict[str, NDArray[Any]]


def cut(view: NetworkView, window: Window) -> Partition:
    """Find the polytopes of a window, in the window's own coordinates.

    Raises:
        PolytopeError: the network is not piecewise linear, or there are too many polytopes.
    """
    return partition(
        view.network,
        window.domain,
        window.plane,
        max_polytopes=MAX_POLYTOPES,
        with_outputs=True,
        max_seconds=MAX_SECONDS,
    )


def drawable(found: Partition, view: NetworkView, window: Window, faces: str) -> Arrays:
    """Return what a page draws.

    Args:
        found: of `cut`.
        view: the network that was cut.
        window: the window that was cut.
        faces: the filling, one of `bitfold.studio.wire.commands.FACES`.

    Returns:
        ``corners``: float32 (C, 2), the corners of all faces, face by face, counter-clockwise;
        ``face_offsets``: uint32 (F + 1,), where each face begins among them;
        ``outputs``: float32 (C, outputs) at the corners, for the filling ``value``;
        ``face_colours``: uint8 (F, 3), for the other fillings;
        ``folds``: float32 (S, 4), the two ends of each piece of a fold;
        ``fold_neurons``: uint32 (S,), its neuron, numbered through all layers;
        ``boundary``: float32 (B, 4), the decision boundary, where there are classes.
    """
    places = found.face_vertices
    segments, neurons = fold_segments(found.subdivision)
    arrays: Arrays = {
        "corners": found.vertices[places].astype(np.float32),
        "face_offsets": found.face_offsets.astype(np.uint32),
        "folds": segments.reshape(-1, 4).astype(np.float32),
        "fold_neurons": neurons.astype(np.uint32),
        "boundary": boundary_of(found, view).reshape(-1, 4).astype(np.float32),
    }
    if faces == "value":
        arrays["outputs"] = found.vertex_outputs[places].astype(np.float32)
    elif faces != "none":
        arrays["face_colours"] = _face_colours(found, window, faces)
    return arrays


def _face_colours(found: Partition, window: Window, faces: str) -> NDArray[np.uint8]:
    if faces == "area":
        return area_colours(found.areas * window.half**2)
    if faces == "slope":
        return slope_colours(found.backend.slopes() / window.half)
    return as_bytes(identity_colours(found.patterns))


def boundary_of(found: Partition, view: NetworkView) -> NDArray[np.float64]:
    """Return where the class changes, or where a grey picture is 1/2: segments (n, 2, 2)."""
    outputs = found.vertex_outputs
    if view.has_classes:
        return boundary_segments(found.subdivision, outputs)
    if outputs.shape[1] == 1:
        level = 0.0 if view.is_squashed else _HALF
        return level_segments(found.subdivision, outputs[:, 0] - level)
    return np.empty((0, 2, 2))


def legend(found: Partition, view: NetworkView) -> dict[str, Any]:
    """Return what a page needs to colour and to name what it draws."""
    classes = view.class_colours
    return {
        "num_polytopes": found.num_polytopes,
        "layer_sizes": list(found.layer_sizes),
        "layer_colours": as_bytes(layer_colours(len(found.layer_sizes), "picture")).tolist(),
        "num_encoding_layers": found.num_encoding_layers,
        "class_colours": None if classes is None else as_bytes(classes).tolist(),
        "is_squashed": view.is_squashed,
        "picture_aspect": view.aspect,
    }

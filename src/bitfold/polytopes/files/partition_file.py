"""The file of a partition, in NumPy's open format, and writing it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import PolytopeError
from bitfold.runtime.atomic_files import replacing

if TYPE_CHECKING:
    from bitfold.polytopes.partition import Partition

FORMAT, VERSION = "bitfold partition", 1
#: By name the type and number of axes of each array; docs/partition-files.md says what they hold.
ARRAYS = {
    "vertices": ("<f8", 2),
    "edges": ("<i4", 2),
    "face_offsets": ("<i4", 1),
    "face_vertices": ("<i4", 1),
    "face_edges": ("<i4", 1),
    "neighbours": ("<i4", 2),
    "owner_offsets": ("<i4", 1),
    "owners": ("<i4", 1),
    "patterns": ("<u8", 2),
    "maps": ("<f8", 3),
    "outputs": ("<f8", 2),
    "plane": ("<f8", None),
    "header": ("|u1", 1),
}
#: Those that are fields of `Partition` under the same name and in the same order.
GEOMETRY = tuple(ARRAYS)[:8]


def save_partition(found: Partition, path: Path) -> None:
    """See `Partition.save`."""
    layers = zip(found.layers, found.layer_sizes, strict=True)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "layers": [{"place": b.place, "name": b.name, "neurons": n} for b, n in layers],
        "layers_in_all": found.source.num_layers,
        "given_up": found.num_given_up,
    }
    plane = [item.numpy() for item in (found.plane.origin, found.plane.u, found.plane.v)]
    arrays: dict[str, NDArray[Any]] = {name: getattr(found, name) for name in GEOMETRY}
    arrays |= {
        "patterns": found.patterns,
        "maps": found.affine_maps(),
        "outputs": found.vertex_outputs,
        "plane": np.stack(plane),
        "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
    }
    stored = {name: np.ascontiguousarray(arrays[name], ARRAYS[name][0]) for name in ARRAYS}
    try:
        with replacing(path) as file:
            np.savez(file, allow_pickle=False, **stored)
    except OSError as error:
        raise PolytopeError(
            f"Cannot write partition {path}: {error.strerror}. Make room, or choose another place."
        ) from None

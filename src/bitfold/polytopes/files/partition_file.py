"""The file of a partition, in NumPy's open format: its content, writing and reading it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import PolytopeError
from bitfold.polytopes.files.array_archive import read_arrays
from bitfold.polytopes.files.array_checks import (
    FORMAT,
    VERSION,
    check_faces,
    check_indices,
    check_numbers,
    parse_header,
)
from bitfold.polytopes.lowering.lowered import Bend
from bitfold.polytopes.plane import Plane
from bitfold.polytopes.subdivision.subdivision import Subdivision
from bitfold.runtime.atomic_files import replacing

#: The type and the number of axes of each array by name; see docs/partition-files.md.
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
#: The arrays that are fields of `Subdivision`, in the same order.
GEOMETRY = tuple(ARRAYS)[:8]


@dataclass(frozen=True, eq=False)
class PartitionContent:
    """Everything that a partition's file holds.

    Args:
        subdivision: the geometry.
        plane: where the subdivision lies among the network's inputs.
        layers: the operations that bend.
        layer_sizes: the number of neurons in each layer.
        layers_in_all: the number of operations that bend in the whole network.
        num_given_up: see `Partition`.
        patterns: uint64 (F, words), the activation patterns.
        maps: float64 (F, outputs, 3), the affine maps.
        outputs: float64 (V, outputs), at the vertices.
        num_encoding_layers: see `Partition`.
    """

    subdivision: Subdivision
    plane: Plane
    layers: tuple[Bend, ...]
    layer_sizes: tuple[int, ...]
    layers_in_all: int
    num_given_up: int
    patterns: NDArray[np.uint64]
    maps: NDArray[np.float64]
    outputs: NDArray[np.float64]
    num_encoding_layers: int = 0


def write_partition(path: Path, content: PartitionContent) -> None:
    """Write a partition's file; an existing file is replaced once the new one is complete.

    Raises:
        PolytopeError: the file cannot be written.
    """
    layers = zip(content.layers, content.layer_sizes, strict=True)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "layers": [{"place": b.place, "name": b.name, "neurons": n} for b, n in layers],
        "layers_in_all": content.layers_in_all,
        "given_up": content.num_given_up,
        "encoding_layers": content.num_encoding_layers,
    }
    plane = content.plane
    arrays: dict[str, NDArray[Any]] = {
        name: getattr(content.subdivision, name) for name in GEOMETRY
    }
    arrays |= {
        "patterns": content.patterns,
        "maps": content.maps,
        "outputs": content.outputs,
        "plane": np.stack([item.numpy() for item in (plane.origin, plane.u, plane.v)]),
        "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
    }
    stored: dict[str, Any] = {
        name: np.ascontiguousarray(arrays[name], ARRAYS[name][0]) for name in ARRAYS
    }
    try:
        with replacing(path) as file:
            np.savez(file, **stored)  # numbers alone, so that nothing is pickled
    except OSError as error:
        raise PolytopeError(
            f"Cannot write partition {path}: {error.strerror}. Free some space, or choose another "
            "path."
        ) from None


def read_partition(path: Path) -> PartitionContent:
    """Read a partition's file, trusting nothing in it.

    No memory is reserved for what the file merely claims to contain.

    Raises:
        PolytopeError: the file cannot be read, or its parts do not fit each other.
    """
    try:
        arrays = read_arrays(path, ARRAYS)
        header = parse_header(arrays.pop("header").tobytes())
        sizes = tuple(layer["neurons"] for layer in header["layers"])
        check_indices(arrays, sum(sizes))
        check_faces(arrays)
        check_numbers(arrays, sum(sizes))
        plane = Plane(*arrays.pop("plane"))
    except OSError as error:
        reason = f"{error.strerror or error}. Give a file that Partition.save wrote."
        raise PolytopeError(f"Cannot read partition {path}: {reason}") from None
    except (ValueError, PolytopeError) as error:
        reason = f"{str(error).rstrip('.')}. Save it again, or get another copy."
        raise PolytopeError(f"Cannot read partition {path}: {reason}") from None
    return PartitionContent(
        Subdivision(**{name: arrays.pop(name) for name in GEOMETRY}),
        plane,
        layers=tuple(Bend(layer["place"], layer["name"]) for layer in header["layers"]),
        layer_sizes=sizes,
        layers_in_all=header["layers_in_all"],
        num_given_up=header["given_up"],
        num_encoding_layers=header["encoding_layers"],
        **arrays,
    )

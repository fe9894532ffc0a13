"""Checks of the arrays in a partition's file, none of which is trusted."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT, VERSION = "bitfold partition", 1

Arrays = dict[str, NDArray[Any]]

# Neurons and edges are numbered by int32.
_MOST = 2**31 - 1
_LAYER = {"place": str, "name": str, "neurons": int}


def _require(condition: object, expected: str, got: str) -> None:
    if not condition:
        raise ValueError(f"expected {expected}, got {got}")


def _shape(array: NDArray[Any]) -> str:
    return f"shape {array.shape}"


def parse_header(data: bytes) -> dict[str, Any]:
    """Read the header.

    Raises:
        ValueError: it is not that of a partition; the text begins with "expected".
    """
    try:
        header: dict[str, Any] = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError(f"expected a header in JSON, got {data[:40]!r}") from None
    is_ours = isinstance(header, dict) and header.get("format") == FORMAT
    _require(is_ours, f"a header of the format {FORMAT!r}", "one of another format")
    if header.get("version") != VERSION:
        got = str(header.get("version"))[:20]
        raise ValueError(f"expected format version {VERSION}, got {got}")
    layers: Any = header.get("layers")
    in_all: Any = header.get("layers_in_all")
    is_list = isinstance(layers, list) and all(map(_is_layer, layers))
    _require(is_list, "a place, a name and a number of neurons for each layer", "other entries")
    num_neurons = sum(layer["neurons"] for layer in layers)
    _require(num_neurons <= _MOST, f"at most {_MOST} neurons", str(num_neurons))
    is_enough = _is_count(in_all) and in_all >= len(layers)
    _require(is_enough, f"`layers_in_all` of at least {len(layers)}", str(in_all)[:20])
    given_up = header.get("given_up")
    _require(_is_count(given_up), "`given_up` to be a number of folds", str(given_up)[:20])
    # Earlier releases wrote files without this number.
    encoding = header.setdefault("encoding_layers", 0)
    is_fit = _is_count(encoding) and encoding <= len(layers)
    _require(is_fit, f"`encoding_layers` of 0 to {len(layers)}", str(encoding)[:20])
    return header


def _is_layer(layer: Any) -> bool:
    is_fit = isinstance(layer, dict) and layer.keys() == _LAYER.keys()
    is_fit = is_fit and all(isinstance(layer[key], kind) for key, kind in _LAYER.items())
    return is_fit and _is_count(layer["neurons"])


def _is_count(item: Any) -> bool:
    return type(item) is int and 0 <= item <= _MOST


def check_indices(arrays: Arrays, num_neurons: int) -> None:
    """Verify shapes, and that every number refers to an existing vertex, edge or neuron.

    Raises:
        ValueError: one does not; the text begins with "expected".
    """
    num_vertices, num_edges = len(arrays["vertices"]), len(arrays["edges"])
    for name, length in (
        ("vertices", num_vertices),
        ("edges", num_edges),
        ("neighbours", num_edges),
    ):
        is_fit = arrays[name].shape == (length, 2)
        _require(is_fit, f"{name} of shape ({length}, 2)", _shape(arrays[name]))
    for name, bound in (
        ("edges", num_vertices),
        ("face_vertices", num_vertices),
        ("face_edges", num_edges),
        ("owners", num_neurons),
    ):
        numbers = arrays[name]
        is_fit = not numbers.size or (numbers.min() >= 0 and numbers.max() < bound)
        extremes = f"{numbers.min()} to {numbers.max()}" if numbers.size else "none"
        _require(is_fit, f"{name} of 0 to {bound - 1}", extremes)
    for name, counted, least in (("face_offsets", "face_edges", 3), ("owner_offsets", "owners", 0)):
        offsets = arrays[name].astype(np.int64)
        is_fit = len(offsets) > 0 and offsets[0] == 0 and offsets[-1] == len(arrays[counted])
        is_fit = bool(is_fit and (np.diff(offsets) >= least).all())
        steps = f"{name} from 0 to {len(arrays[counted])} in steps of at least {least}"
        _require(is_fit, steps, "other numbers")
    _require(len(arrays["face_offsets"]) > 1, "at least one polytope", "none")
    num_offsets = len(arrays["owner_offsets"])
    _require(num_offsets == num_edges + 1, f"{num_edges + 1} owner_offsets", str(num_offsets))


def check_faces(arrays: Arrays) -> None:
    """Verify that faces, edges and neighbours agree, and form one piece without holes.

    Raises:
        ValueError: they do not; the text begins with "expected".
    """
    edges, used, corners = arrays["edges"], arrays["face_edges"], arrays["face_vertices"]
    offsets = arrays["face_offsets"].astype(np.int64)
    counts = f"{len(corners)} and {len(used)}"
    _require(len(used) == len(corners), "as many face_vertices as face_edges", counts)
    after = np.arange(1, len(used) + 1)
    after[offsets[1:] - 1] = offsets[:-1]
    is_back = corners != edges[used, 0]
    is_loop = edges[:, 0] == edges[:, 1]
    at = int(is_loop.argmax()) if is_loop.any() else -1
    _require(at < 0, "edges between two vertices", f"one vertex twice in edge {at}")
    begins = edges[used, is_back.astype(np.int64)] == corners
    ends = edges[used, (~is_back).astype(np.int64)] == corners[after]
    is_joined = begins & ends
    at = int(np.searchsorted(offsets, is_joined.argmin(), side="right")) - 1
    wanted = "faces whose edges join their vertices"
    _require(is_joined.all(), wanted, f"an edge of face {at} that does not")
    beside = np.full(2 * len(edges), -1, np.int64)
    sides = 2 * used.astype(np.int64) + is_back
    beside[sides] = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    times = np.bincount(sides, minlength=2 * len(edges))
    on_twice = f"edge {int(times.argmax()) // 2} on more"
    _require(times.max() == 1, "one face at most on each side of an edge", on_twice)
    is_right = (beside.reshape(-1, 2) == arrays["neighbours"]).all(1)
    wrong = f"others at edge {int(is_right.argmin())}"
    _require(is_right.all(), "neighbours that are the faces beside each edge", wrong)
    is_inner, is_owned = arrays["neighbours"].min(1) >= 0, np.diff(arrays["owner_offsets"]) > 0
    is_fit = is_inner == is_owned
    wrong = f"{'none' if is_inner[is_fit.argmin()] else 'one'} at edge {int(is_fit.argmin())}"
    _require(is_fit.all(), "owners of each edge but those on the border", wrong)
    euler = len(arrays["vertices"]) - len(edges) + len(offsets) - 1
    if euler != 1:
        raise ValueError(f"expected V - E + F = 1, got {euler}")


def check_numbers(arrays: Arrays, num_neurons: int) -> None:
    """Verify that numbers are finite, and that there is one map and one pattern for each face.

    Raises:
        ValueError: this is not so; the text begins with "expected".
    """
    num_faces, outputs = len(arrays["face_offsets"]) - 1, arrays["outputs"]
    for name in ("vertices", "maps", "outputs", "plane"):
        num_bad = int((~np.isfinite(arrays[name])).sum())
        _require(num_bad == 0, f"finite numbers in {name}", f"{num_bad} that are not")
    num_vertices = len(arrays["vertices"])
    _require(len(outputs) == num_vertices, f"{num_vertices} rows of outputs", f"{len(outputs)}")
    maps = arrays["maps"]
    wanted = (num_faces, outputs.shape[1], 3)
    _require(maps.shape == wanted, f"maps of shape {wanted}", _shape(maps))
    patterns = arrays["patterns"]
    is_fit = len(patterns) == num_faces and 64 * patterns.shape[1] >= num_neurons
    bits = f"{num_faces} patterns of at least {num_neurons} bits"
    _require(is_fit, bits, _shape(patterns))
    plane = arrays["plane"]
    is_fit = plane.ndim > 1 and len(plane) == 3
    _require(is_fit, "a plane of an origin and two directions", _shape(plane))

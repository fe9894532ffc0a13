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


def _require(condition: object, expected: str) -> None:
    if not condition:
        raise ValueError(f"expected {expected}, got others")


def parse_header(data: bytes) -> dict[str, Any]:
    """Read the header.

    Raises:
        ValueError: it is not that of a partition; the text begins with "expected".
    """
    try:
        header: dict[str, Any] = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("expected a header in JSON, got something else") from None
    _require(isinstance(header, dict) and header.get("format") == FORMAT, f"a {FORMAT}")
    if header.get("version") != VERSION:
        got = str(header.get("version"))[:20]
        raise ValueError(f"expected format version {VERSION}, got {got}")
    layers: Any = header.get("layers")
    in_all: Any = header.get("layers_in_all")
    is_list = isinstance(layers, list) and all(map(_is_layer, layers))
    _require(is_list and sum(layer["neurons"] for layer in layers) <= _MOST, "layers and sizes")
    _require(_is_count(in_all) and in_all >= len(layers), "no fewer layers in all")
    _require(_is_count(header.get("given_up")), "a number of folds given up")
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
    _require(arrays["vertices"].shape[1] == 2, "vertices of two coordinates")
    _require(arrays["edges"].shape[1] == 2, "edges with two ends")
    _require(arrays["neighbours"].shape == (num_edges, 2), "two neighbours for each edge")
    for name, bound in (
        ("edges", num_vertices),
        ("face_vertices", num_vertices),
        ("face_edges", num_edges),
        ("owners", num_neurons),
    ):
        numbers = arrays[name]
        is_fit = not numbers.size or (numbers.min() >= 0 and numbers.max() < bound)
        _require(is_fit, f"{name} of 0 to {bound - 1}")
    for name, counted, least in (("face_offsets", "face_edges", 3), ("owner_offsets", "owners", 0)):
        offsets = arrays[name].astype(np.int64)
        is_fit = len(offsets) and offsets[0] == 0 and offsets[-1] == len(arrays[counted])
        _require(is_fit and (np.diff(offsets) >= least).all(), f"{name} that ascend to the last")
    _require(len(arrays["face_offsets"]) > 1, "one polytope or more")
    _require(len(arrays["owner_offsets"]) == num_edges + 1, "owners for each edge")


def check_faces(arrays: Arrays) -> None:
    """Verify that faces, edges and neighbours agree, and form one piece without holes.

    Raises:
        ValueError: they do not; the text begins with "expected".
    """
    edges, used, corners = arrays["edges"], arrays["face_edges"], arrays["face_vertices"]
    offsets = arrays["face_offsets"].astype(np.int64)
    _require(len(used) == len(corners), "as many vertices as edges around faces")
    after = np.arange(1, len(used) + 1)
    after[offsets[1:] - 1] = offsets[:-1]
    is_back = corners != edges[used, 0]
    _require((edges[:, 0] != edges[:, 1]).all(), "edges with two ends")
    begins = edges[used, is_back.astype(np.int64)] == corners
    ends = edges[used, (~is_back).astype(np.int64)] == corners[after]
    _require(begins.all() and ends.all(), "faces whose edges join their vertices")
    beside = np.full(2 * len(edges), -1, np.int64)
    sides = 2 * used.astype(np.int64) + is_back
    beside[sides] = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    is_fit = np.bincount(sides, minlength=2 * len(edges)).max() == 1
    _require(
        is_fit and (beside.reshape(-1, 2) == arrays["neighbours"]).all(),
        "neighbours that have their edge around them",
    )
    is_inner, is_owned = arrays["neighbours"].min(1) >= 0, np.diff(arrays["owner_offsets"]) > 0
    _require((is_inner == is_owned).all(), "owners of all edges but the border's")
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
        _require(np.isfinite(arrays[name]).all(), f"finite numbers in {name}")
    _require(len(outputs) == len(arrays["vertices"]), "outputs for each vertex")
    _require(arrays["maps"].shape == (num_faces, outputs.shape[1], 3), "a map for each face")
    patterns = arrays["patterns"]
    is_fit = len(patterns) == num_faces and 64 * patterns.shape[1] >= num_neurons
    _require(is_fit, "a pattern for each face")
    _require(arrays["plane"].ndim > 1 and len(arrays["plane"]) == 3, "a plane of three inputs")

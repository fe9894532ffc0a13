"""One cut of a mesh: all faces, along the folds of all neurons of a layer.

Importing this module imports Numba.
"""

from typing import Any

import numpy as np

from bitfold.polytopes.cutting.loops import sizes as size_of
from bitfold.polytopes.cutting.loops.arrays import (
    BROKEN_OFF,
    EDGES,
    FACES,
    FURTHER,
    GIVEN_UP,
    SIDES,
    VERTICES,
    Cut,
    Doubles,
    Faces,
    Ints,
    Longs,
    Made,
    Signs,
    Split,
    Uncut,
    Values,
)
from bitfold.polytopes.cutting.loops.edges import classify, split_edges
from bitfold.polytopes.cutting.loops.faces import cut_faces, make_made, make_work
from bitfold.polytopes.cutting.loops.sizes import limit_sizes, measure_faces
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import embedded


@embedded
def cut_mesh(
    values: Doubles,
    bounds: Doubles,
    edges: Ints,
    owners: Ints,
    faces: Faces,
    first_neuron: int,
    num_spare: int,
    max_faces: int,
) -> Cut:
    """Cut all faces along the folds of a layer's neurons.

    Args:
        values: float64 (vertices, neurons), 0 on a fold and affine on each face.
        bounds: (neurons,), the largest error of a value.
        edges: int32 (edges, 2).
        owners: int32 (edges,), handed on to the edges that an edge is split into.
        faces: see `Faces`.
        first_neuron: the number of the first of these neurons among all neurons, which own edges.
        num_spare: room for that many further owners, and for as many touching edges.
        max_faces: beyond which the cut is stopped.
    """
    num_words = (values.shape[1] + 63) // 64
    above = np.empty((len(values), num_words), np.uint64)
    below = np.empty((len(values), num_words), np.uint64)
    has_zeros = classify(values, bounds, above, below)
    signs = (above, below)
    split = split_edges(values, bounds, edges, owners, signs)
    made, touching, num_touching = cut_some_faces(
        faces, edges, values, bounds, signs, has_zeros, split, num_spare,
        np.zeros(1, np.int64), 0, max_faces,
    )  # fmt: skip
    return _appended(split, made, touching, num_touching, first_neuron)


@embedded
def cut_some_faces(
    faces: Faces,
    edges: Ints,
    values: Doubles,
    bounds: Doubles,
    signs: Signs,
    has_zeros: bool,
    split: Split,
    num_spare: int,
    progress: Longs,
    thread: int,
    max_faces: int,
) -> tuple[Made, Ints, int]:
    """Cut some faces of a mesh whose edges are split.

    Args:
        faces: the first side of each of these faces; all sides of the mesh.
        edges: old edges (edges, 2).
        values: see `cut_mesh`.
        bounds: see `cut_mesh`.
        signs: of the values.
        has_zeros: whether some values count as 0.
        split: the split edges.
        num_spare: see `cut_mesh`.
        progress: see `faces.cut_faces`.
        thread: see `faces.cut_faces`.
        max_faces: of all threads together.

    Returns:
        What is made; touching edges, and their number.
    """
    num_words = signs[0].shape[1]
    masks = np.empty((len(faces[0]) - 1, num_words), np.uint64)
    touching = np.empty((num_spare, 2), np.int32)
    sizes = np.empty(size_of.NUM_SIZES, np.int64)
    measure_faces(faces, edges, signs, (split.crossed, has_zeros), masks, touching, sizes)
    limit_sizes(sizes, max_faces)
    made, work = make_made(sizes, num_spare), make_work(sizes, num_words)
    before = Uncut(
        faces[0], faces[1], edges, split.children, split.firsts, split.neurons, split.vertices,
        signs[0], signs[1], masks,
    )  # fmt: skip
    layer = Values(values, bounds, split.ends, split.along)
    offsets = (split.num_vertices, len(split.edges))
    cut_faces(before, layer, offsets, work, made, progress, thread, max_faces)
    return made, touching, sizes[size_of.NUM_TOUCHING]


@embedded
def _appended(
    split: Split, made: Made, touching: Ints, num_touching: int, first_neuron: int
) -> Cut:
    """Append the vertices and edges within faces to those on old edges."""
    counts = made.counts
    num_vertices, num_edges = counts[VERTICES], counts[EDGES]
    return Cut(
        _behind(split.ends.reshape(-1), made.ends.reshape(-1), 2 * num_vertices, 0).reshape(-1, 2),
        _behind(split.along, made.along, num_vertices, 0.0),
        _behind(split.edges.reshape(-1), made.edges.reshape(-1), 2 * num_edges, 0).reshape(-1, 2),
        _behind(split.owners, made.neurons, num_edges, first_neuron),
        (made.starts[: counts[FACES] + 1].copy(), made.sides[: counts[SIDES]].copy()),
        split.children,
        made.further,
        touching,
        counts[FURTHER],
        num_touching,
        counts[GIVEN_UP],
        max(counts[FURTHER], num_touching),
        counts[BROKEN_OFF],
    )


@embedded
def _behind(first: Any, second: Any, count: int, shift: Any) -> Any:
    """Append some of the second numbers, shifted. Numba's own functions for that are far slower."""
    whole, known = np.empty(len(first) + count, first.dtype), len(first)
    into, first, second = borrowed(whole), borrowed(first), borrowed(second)
    for k in range(known):
        into[k] = first[k]
    for k in range(count):
        into[known + k] = second[k] + shift
    return whole


@compiled
def cut(
    values: Doubles,
    bounds: Doubles,
    edges: Ints,
    owners: Ints,
    faces: Faces,
    first_neuron: int,
    num_spare: int,
    max_faces: int,
) -> Cut:
    """`cut_mesh`, for Python."""
    return cut_mesh(values, bounds, edges, owners, faces, first_neuron, num_spare, max_faces)


@compiled
def split_mesh(values: Doubles, bounds: Doubles, edges: Ints, owners: Ints, signs: Signs) -> Split:
    """`edges.split_edges`, for Python."""
    return split_edges(values, bounds, edges, owners, signs)


@compiled
def cut_part(
    faces: Faces,
    edges: Ints,
    values: Doubles,
    bounds: Doubles,
    signs: Signs,
    has_zeros: bool,
    split: Split,
    num_spare: int,
    progress: Longs,
    thread: int,
    max_faces: int,
) -> tuple[Made, Ints, int]:
    """`cut_some_faces`, for Python."""
    return cut_some_faces(
        faces, edges, values, bounds, signs, has_zeros, split, num_spare, progress, thread,
        max_faces,
    )  # fmt: skip

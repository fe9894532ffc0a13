"""Compiled loops over vertices and edges: signs, and where edges cross folds.

Importing this module imports Numba.
"""

import numpy as np

from bitfold.polytopes.cutting.loops.arrays import Doubles, Faces, Ints, Signs, Split, Words
from bitfold.polytopes.cutting.loops.bits import EVERY, ONE, count_bits, lowest_bit
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import embedded, inlined


@compiled
def classify(values: Doubles, bounds: Doubles, above: Words, below: Words) -> bool:
    """Tell which values are surely positive and which are surely negative.

    Args:
        values: (vertices, neurons).
        bounds: (neurons,), the largest error of a value.
        above: (vertices, words), written: see `Signs`.
        below: (vertices, words), written likewise.

    Returns:
        Whether there are other values. They count as 0.
    """
    num_neurons, has_zeros = values.shape[1], False
    values, bounds = borrowed(values), borrowed(bounds)
    above, below = borrowed(above), borrowed(below)
    for vertex in range(values.shape[0]):
        for word in range(above.shape[1]):
            first = 64 * word
            up, down = np.uint64(0), np.uint64(0)
            for bit in range(min(64, num_neurons - first)):
                value, bound = values[vertex, first + bit], bounds[first + bit]
                up |= np.uint64(value > bound) << np.uint64(bit)
                down |= np.uint64(value < -bound) << np.uint64(bit)
            above[vertex, word], below[vertex, word] = up, down
            unused = max(0, first + 64 - num_neurons)
            has_zeros |= (up | down) != EVERY >> np.uint64(unused)
    return has_zeros


@embedded
def split_edges(values: Doubles, bounds: Doubles, edges: Ints, owners: Ints, signs: Signs) -> Split:
    """Put a vertex on each edge wherever a fold crosses the edge, and split the edge there.

    Crossings that are nearer to each other than their errors share a vertex.

    Args:
        values: (vertices, neurons).
        bounds: (neurons,), the largest error of a value.
        edges: (edges, 2).
        owners: (edges,), handed on to the edges that an edge is split into.
        signs: of the values.
    """
    crossed = np.empty((len(edges), signs[0].shape[1]), np.uint64)
    firsts = _count_crossings(edges, signs, crossed)
    num_crossings = firsts[-1]
    neurons, vertices = np.empty(num_crossings, np.int32), np.empty(num_crossings, np.int32)
    places, slack = np.empty(num_crossings), np.empty(num_crossings)
    children = np.empty(len(edges) + 1, np.int32)
    num_vertices = _place_crossings(
        edges, values, bounds, crossed, firsts, neurons, places, slack, vertices, children
    )
    num_new, num_edges = num_vertices - len(values), children[-1]
    ends, along = np.empty((num_new, 2), np.int32), np.empty(num_new)
    outer, outer_owners = np.empty((num_edges, 2), np.int32), np.empty(num_edges, np.int32)
    _write_split_edges(
        edges, owners, (firsts, places, vertices), len(values), (ends, along, outer, outer_owners)
    )
    return Split(
        ends, along, outer, outer_owners, children, firsts, neurons, vertices, crossed, num_vertices
    )


@embedded
def _count_crossings(edges: Ints, signs: Signs, crossed: Words) -> Ints:
    """Write the neurons that cross each edge; return the first crossing of each edge."""
    firsts = np.empty(len(edges) + 1, np.int32)
    above, below, edges = borrowed(signs[0]), borrowed(signs[1]), borrowed(edges)
    crossed = borrowed(crossed)
    total = 0
    for edge in range(len(edges)):
        firsts[edge] = total
        a, b = edges[edge, 0], edges[edge, 1]
        for word in range(above.shape[1]):
            found = (above[a, word] & below[b, word]) | (below[a, word] & above[b, word])
            crossed[edge, word] = found
            if found:
                total += count_bits(found)
    firsts[len(edges)] = total
    return firsts


@embedded
def _place_crossings(
    edges: Ints,
    values: Doubles,
    bounds: Doubles,
    crossed: Words,
    firsts: Ints,
    neurons: Ints,
    places: Doubles,
    slack: Doubles,
    vertices: Ints,
    children: Ints,
) -> int:
    """Write each crossing's neuron, place on its edge (0 to 1), error of that, and vertex.

    Returns:
        The number of vertices.
    """
    edges, values, bounds, crossed = (
        borrowed(edges), borrowed(values), borrowed(bounds), borrowed(crossed),
    )  # fmt: skip
    firsts, neurons, places, slack = (
        borrowed(firsts), borrowed(neurons), borrowed(places), borrowed(slack),
    )  # fmt: skip
    vertices, children = borrowed(vertices), borrowed(children)
    num_vertices, num_children = values.shape[0], 0
    for edge in range(len(edges)):
        children[edge] = num_children
        num_children += 1
        first, end = firsts[edge], firsts[edge + 1]
        if first == end:
            continue
        _sort_crossings(edge, first, edges, crossed, values, bounds, neurons, places, slack)
        for at in range(first, end):
            near = at > first and places[at] - places[at - 1] <= slack[at] + slack[at - 1]
            if not near:
                num_vertices += 1
                num_children += 1
            vertices[at] = num_vertices - 1
    children[len(edges)] = num_children
    total: int = num_vertices
    return total


@inlined
def _sort_crossings(
    edge: int,
    first: int,
    edges: Ints,
    crossed: Words,
    values: Doubles,
    bounds: Doubles,
    neurons: Ints,
    places: Doubles,
    slack: Doubles,
) -> None:
    """Write an edge's crossings in the order of their places."""
    a, b = edges[edge, 0], edges[edge, 1]
    at = first
    for word in range(crossed.shape[1]):
        left = crossed[edge, word]
        while left:
            neuron = 64 * word + lowest_bit(left)
            left &= left - ONE
            fall = values[a, neuron] - values[b, neuron]
            place = values[a, neuron] / fall
            k = at
            while k > first and places[k - 1] > place:
                neurons[k], places[k], slack[k] = neurons[k - 1], places[k - 1], slack[k - 1]
                k -= 1
            neurons[k], places[k], slack[k] = neuron, place, 2 * bounds[neuron] / abs(fall)
            at += 1


@embedded
def _write_split_edges(
    edges: Ints,
    owners: Ints,
    crossings: tuple[Ints, Doubles, Ints],
    num_vertices: int,
    made: tuple[Ints, Doubles, Ints, Ints],
) -> None:
    """Write the new vertices, and the edges between them.

    Args:
        edges: (edges, 2).
        owners: (edges,).
        crossings: the first crossing of each edge; the place and the vertex of each crossing.
        num_vertices: the number of old vertices.
        made: written: `Split.ends`, `Split.along`, `Split.edges` and `Split.owners`.
    """
    firsts, places, vertices = borrowed(crossings)
    ends, along, new_edges, new_owners = borrowed(made)
    edges, owners = borrowed(edges), borrowed(owners)
    child = 0
    for edge in range(len(edges)):
        a, b = edges[edge, 0], edges[edge, 1]
        last = a
        for at in range(firsts[edge], firsts[edge + 1]):
            vertex = vertices[at]
            if vertex == last:
                continue
            ends[vertex - num_vertices, 0], ends[vertex - num_vertices, 1] = a, b
            along[vertex - num_vertices] = places[at]
            new_edges[child, 0], new_edges[child, 1] = last, vertex
            new_owners[child] = owners[edge]
            child += 1
            last = vertex
        new_edges[child, 0], new_edges[child, 1] = last, b
        new_owners[child] = owners[edge]
        child += 1


@compiled
def extend_rows(rows: Doubles, ends: Ints, along: Doubles, num_old: int) -> None:
    """Interpolate numbers at new vertices, in order, from those at the ends of their segments.

    Args:
        rows: (vertices, n), of which the first ``num_old`` are known; the others are written.
        ends: (new, 2), earlier vertices.
        along: (new,), positions: 0 at the first end and 1 at the second.
        num_old: the number of old vertices.
    """
    rows, ends, along = borrowed(rows), borrowed(ends), borrowed(along)
    for k in range(len(along)):
        a, b, share = ends[k, 0], ends[k, 1], along[k]
        for column in range(rows.shape[1]):
            value = rows[a, column]
            rows[num_old + k, column] = value + share * (rows[b, column] - value)


@compiled
def describe(edges: Ints, owners: Ints, faces: Faces) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Work out what `mesh.Mesh.described` returns for edges of at most one owner each."""
    starts, sides = borrowed(faces[0]), borrowed(faces[1])
    edges, owners = borrowed(edges), borrowed(owners)
    corners, around = np.empty(len(sides), np.int32), np.empty(len(sides), np.int32)
    neighbours = np.full((len(edges), 2), np.int32(-1))
    for face in range(len(starts) - 1):
        for k in range(starts[face], starts[face + 1]):
            edge, side = sides[k] >> 1, sides[k] & 1
            corners[k], around[k] = edges[edge, side], edge
            neighbours[edge, side] = face
    offsets, neurons = np.empty(len(edges) + 1, np.int32), np.empty(len(edges), np.int32)
    total = 0
    for edge in range(len(edges)):
        offsets[edge] = total
        if owners[edge] >= 0:
            neurons[total] = owners[edge]
            total += 1
    offsets[len(edges)] = total
    return corners, around, neighbours, offsets, neurons[:total].copy()

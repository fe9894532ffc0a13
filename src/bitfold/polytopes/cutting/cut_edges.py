"""Compiled loops over vertices and edges: signs, and where edges cross folds.

Importing this module imports Numba.
"""

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Doubles = NDArray[np.float64]
Words = NDArray[np.uint64]
Ints = NDArray[np.int32]

Crossings = tuple[Ints, Ints, Ints]
"""By edge the first of its crossings (edges + 1,); of each crossing its neuron, and its vertex."""

_ONE, _EVERY = np.uint64(1), ~np.uint64(0)
_EVERY_SECOND = np.uint64(0x5555555555555555)
_PAIRS = np.uint64(0x3333333333333333)
_NIBBLES = np.uint64(0x0F0F0F0F0F0F0F0F)
_BYTES = np.uint64(0x0101010101010101)


@inlined
def count_bits(word: np.uint64) -> int:
    """How many bits are set."""
    word = word - ((word >> _ONE) & _EVERY_SECOND)
    word = (word & _PAIRS) + ((word >> np.uint64(2)) & _PAIRS)
    word = (word + (word >> np.uint64(4))) & _NIBBLES
    count: int = np.int64((word * _BYTES) >> np.uint64(56))  # type: ignore[assignment]
    return count


@inlined
def lowest_bit(word: np.uint64) -> int:
    """The number of the lowest bit that is set."""
    return count_bits((word & (~word + _ONE)) - _ONE)


@compiled
def classify(values: Doubles, bounds: Doubles, above: Words, below: Words) -> bool:
    """Tell which values are surely positive and which are surely negative.

    Source: none, ours.

    Args:
        values: (vertices, neurons).
        bounds: (neurons,), what a value may be off by.
        above: (vertices, words), written: bit k % 64 of word k // 64 for neuron k.
        below: likewise.

    Returns:
        Whether there are others, that count as 0.
    """
    num_neurons, zeros = values.shape[1], False
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
            zeros |= (up | down) != _EVERY >> np.uint64(unused)
    return zeros


@compiled
def cross_edges(
    edges: Ints, signs: tuple[Words, Words], values: Doubles, bounds: Doubles
) -> tuple[Ints, Ints, Doubles, Ints, Ints, int, Words]:
    """Find where edges cross folds, in order along each edge.

    Crossings that lie nearer to each other than they may be off share a vertex.

    Source: none, ours.

    Args:
        edges: (edges, 2), from where to where.
        signs: see `classify`.
        values: likewise.
        bounds: likewise.

    Returns:
        By edge the first of its crossings (edges + 1,). Of each crossing: its neuron, how far
        along the edge it is (0 to 1), its vertex. By edge the first of the edges that become of it
        (edges + 1,). The number of vertices. By edge the neurons that cross it (edges, words).
    """
    crossed = np.empty((len(edges), signs[0].shape[1]), np.uint64)
    starts = _count_crossings(edges, signs, crossed)
    neurons = np.empty(starts[-1], np.int32)
    places, slack = np.empty(starts[-1]), np.empty(starts[-1])
    vertices = np.empty(starts[-1], np.int32)
    children = np.empty(len(edges) + 1, np.int32)
    num_vertices: int = _place_crossings(
        edges, values, bounds, crossed, starts, neurons, places, slack, vertices, children
    )
    return starts, neurons, places, vertices, children, num_vertices, crossed


@compiled
def _place_crossings(
    edges: Ints,
    values: Doubles,
    bounds: Doubles,
    crossed: Words,
    starts: Ints,
    neurons: Ints,
    places: Doubles,
    slack: Doubles,
    vertices: Ints,
    children: Ints,
) -> int:
    """Write neuron, place, slack and vertex of each crossing, by edge and place; see `cross_edges`.

    Returns:
        The number of vertices.
    """
    edges, values, bounds, crossed = (
        borrowed(edges), borrowed(values), borrowed(bounds), borrowed(crossed),
    )  # fmt: skip
    starts, neurons, places, slack = (
        borrowed(starts), borrowed(neurons), borrowed(places), borrowed(slack),
    )  # fmt: skip
    vertices, children = borrowed(vertices), borrowed(children)
    num_vertices, num_children = values.shape[0], 0
    for edge in range(len(edges)):
        children[edge] = num_children
        num_children += 1
        first, end = starts[edge], starts[edge + 1]
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


@compiled
def _count_crossings(edges: Ints, signs: tuple[Words, Words], crossed: Words) -> Ints:
    """Write the neurons that cross each edge; return the first of each edge's crossings."""
    starts = np.empty(len(edges) + 1, np.int32)
    above, below, edges = borrowed(signs[0]), borrowed(signs[1]), borrowed(edges)
    crossed = borrowed(crossed)
    total = 0
    for edge in range(len(edges)):
        starts[edge] = total
        a, b = edges[edge, 0], edges[edge, 1]
        for word in range(above.shape[1]):
            found = (above[a, word] & below[b, word]) | (below[a, word] & above[b, word])
            crossed[edge, word] = found
            if found:
                total += count_bits(found)
    starts[len(edges)] = total
    return starts


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
    """Write neuron, place and slack of an edge's crossings, by place."""
    a, b = edges[edge, 0], edges[edge, 1]
    at = first
    for word in range(crossed.shape[1]):
        left = crossed[edge, word]
        while left:
            neuron = 64 * word + lowest_bit(left)
            left &= left - _ONE
            fall = values[a, neuron] - values[b, neuron]
            place = values[a, neuron] / fall
            k = at
            while k > first and places[k - 1] > place:
                neurons[k], places[k], slack[k] = neurons[k - 1], places[k - 1], slack[k - 1]
                k -= 1
            neurons[k], places[k], slack[k] = neuron, place, 2 * bounds[neuron] / abs(fall)
            at += 1


@compiled
def split_edges(
    edges: Ints,
    owners: Ints,
    crossings: tuple[Ints, Doubles, Ints],
    num_vertices: int,
    made: tuple[Ints, Doubles, Ints, Ints],
) -> None:
    """Cut edges at the vertices on them.

    Source: none, ours.

    Args:
        edges: (edges, 2).
        owners: (edges,), handed on.
        crossings: by edge the first of its crossings; of each how far along it is, and its vertex.
        num_vertices: that there were before.
        made: written: ends of the edge that each new vertex lies on (new, 2) and how far along it
            lies (new,); the edges that become of the old ones, and their owners.
    """
    starts, places, vertices = (
        borrowed(crossings[0]), borrowed(crossings[1]), borrowed(crossings[2]),
    )  # fmt: skip
    ends, along = borrowed(made[0]), borrowed(made[1])
    new_edges, new_owners = borrowed(made[2]), borrowed(made[3])
    edges, owners = borrowed(edges), borrowed(owners)
    child = 0
    for edge in range(len(edges)):
        a, b = edges[edge, 0], edges[edge, 1]
        last = a
        for at in range(starts[edge], starts[edge + 1]):
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
    """Interpolate numbers at new vertices from those at the ends of what they lie on, in order.

    Source: none, ours.

    Args:
        rows: (vertices, n), of which the first ``num_old`` are known and the others written.
        ends: (new, 2), earlier vertices.
        along: (new,), 0 at the first of them and 1 at the second.
        num_old: see above.
    """
    rows, ends, along = borrowed(rows), borrowed(ends), borrowed(along)
    for k in range(len(along)):
        a, b, share = ends[k, 0], ends[k, 1], along[k]
        for column in range(rows.shape[1]):
            value = rows[a, column]
            rows[num_old + k, column] = value + share * (rows[b, column] - value)


@compiled
def describe(
    edges: Ints, owners: Ints, faces: tuple[Ints, Ints]
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """What lies beside what, see `mesh.Mesh.described`; an edge's owner is one or none here.

    Source: none, ours.
    """
    starts, refs = borrowed(faces[0]), borrowed(faces[1])
    edges, owners = borrowed(edges), borrowed(owners)
    corners, around = np.empty(len(refs), np.int32), np.empty(len(refs), np.int32)
    neighbours = np.full((len(edges), 2), np.int32(-1))
    for face in range(len(starts) - 1):
        for k in range(starts[face], starts[face + 1]):
            edge, side = refs[k] >> 1, refs[k] & 1
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

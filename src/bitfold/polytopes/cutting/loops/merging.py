"""Compiled loops that join faces where the edge between them is no fold.

Importing this module imports Numba.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.cutting.loops.arrays import Faces, Ints
from bitfold.runtime.compiling import compiled

Flags = NDArray[np.bool_]

Outlines = tuple[Ints, Ints, Ints, Flags, Flags]
"""The first side of each group of faces (groups + 1,), and all sides in turn; the group of each
face; which groups have no simple outline; which vertices are left out."""


@compiled
def _root(parents: Ints, one: int) -> int:
    while parents[one] != one:
        parents[one] = parents[parents[one]]
        one = parents[one]
    return one


@compiled
def _unite(parents: Ints, one: int, other: int) -> None:
    """Join two sets; the smallest member of a set is its root."""
    one, other = _root(parents, one), _root(parents, other)
    parents[max(one, other)] = min(one, other)


@compiled
def outline_groups(
    faces: Faces, edges: Ints, beside: Ints, gone: Flags, is_fixed: Flags
) -> Outlines:
    """Walk around each group of faces that are connected across removed edges.

    Args:
        faces: see `Faces`.
        edges: (edges, 2), vertices.
        beside: (edges, 2), the faces left and right of each edge.
        gone: (edges,), whether each edge is removed.
        is_fixed: (vertices,), whether a vertex stays in any case. Another vertex stays if three
            remaining edges meet there.

    Returns:
        The groups, in the order of their first faces.
    """
    starts, refs = faces
    num_faces = len(starts) - 1
    parents = np.arange(num_faces).astype(np.int32)
    degrees = np.zeros(len(is_fixed), np.int32)
    for edge in range(len(edges)):
        if gone[edge]:
            _unite(parents, beside[edge, 0], beside[edge, 1])
        else:
            degrees[edges[edge, 0]] += 1
            degrees[edges[edge, 1]] += 1
    is_left_out = ~is_fixed & (degrees < 3)
    groups, members, firsts = _number_groups(parents)
    out_starts = np.zeros(len(firsts), np.int32)
    out_refs = np.empty(len(refs), np.int32)
    is_bad = np.zeros(len(firsts) - 1, np.bool_)
    leaving = np.empty(len(is_fixed), np.int32)
    stamps = np.full(len(is_fixed), -1, np.int32)
    total = 0
    for group in range(len(firsts) - 1):
        count, first = 0, -1
        for face in members[firsts[group] : firsts[group + 1]]:
            for ref in refs[starts[face] : starts[face + 1]]:
                if not gone[ref >> 1]:
                    leaving[edges[ref >> 1, ref & 1]], stamps[edges[ref >> 1, ref & 1]] = ref, group
                    first = ref if first < 0 else first
                    count += 1
        outline = out_refs[total : total + count]
        is_simple = _walk(first, edges, (leaving, stamps, group), outline)
        is_bad[group] = not is_simple or _num_corners(outline, edges, is_left_out) < 3
        total += count
        out_starts[group + 1] = total
    return out_starts, out_refs[:total].copy(), groups, is_bad, is_left_out


@compiled
def _walk(first: int, edges: Ints, sides: tuple[Ints, Ints, int], outline: Ints) -> bool:
    """Write the sides of a group in turn; return whether one walk passes all of them.

    Args:
        first: the side to begin with.
        edges: (edges, 2), vertices.
        sides: the side that begins at each vertex, and the group of that side; this group.
        outline: the group's sides, written.
    """
    leaving, stamps, group = sides
    ref = first
    for step in range(len(outline)):
        outline[step] = ref
        vertex = edges[ref >> 1, 1 - (ref & 1)]
        if stamps[vertex] != group:
            return False
        ref = leaving[vertex]
        if (ref == first) != (step == len(outline) - 1):
            return False
    return len(outline) > 0


@compiled
def _num_corners(outline: Ints, edges: Ints, is_left_out: Flags) -> int:
    count = 0
    for ref in outline:
        count += not is_left_out[edges[ref >> 1, ref & 1]]
    return count


@compiled
def _number_groups(parents: Ints) -> tuple[Ints, Ints, Ints]:
    """Return each face's group; the faces, by group; each group's first face (groups + 1,)."""
    groups = np.empty(len(parents), np.int32)
    num_groups = 0
    for face in range(len(parents)):
        root = _root(parents, face)
        if root == face:
            groups[face] = num_groups
            num_groups += 1
        else:
            groups[face] = groups[root]
    firsts = np.zeros(num_groups + 1, np.int32)
    for face in range(len(parents)):
        firsts[groups[face] + 1] += 1
    firsts = np.cumsum(firsts).astype(np.int32)
    members, at = np.empty(len(parents), np.int32), firsts.copy()
    for face in range(len(parents)):
        members[at[groups[face]]] = face
        at[groups[face]] += 1
    return groups, members, firsts


@compiled
def join_edges(outlines: Outlines, edges: Ints, gone: Flags) -> Any:
    """Join the edges that meet at a vertex which is left out.

    Args:
        outlines: all of them simple.
        edges: (edges, 2), vertices.
        gone: (edges,), whether each edge is removed.

    Returns:
        Faces; edges, with the old numbers of vertices; each old edge's new number, -1 if removed.
    """
    starts, refs, _, _, is_left_out = outlines
    numbers, num_edges = _number_edges(outlines, edges, gone)
    joined = np.full((num_edges, 2), -1, np.int32)
    new_starts, new_refs, total = np.zeros_like(starts), np.empty_like(refs), 0
    for group in range(len(starts) - 1):
        last = -1
        for at in range(starts[group], starts[group + 1]):
            if not is_left_out[edges[refs[at] >> 1, refs[at] & 1]]:
                last = at
        begin, number = edges[refs[last] >> 1, refs[last] & 1], numbers[refs[last] >> 1]
        for at in range(starts[group], starts[group + 1]):
            vertex = edges[refs[at] >> 1, refs[at] & 1]
            if is_left_out[vertex]:
                continue
            is_back = joined[number, 0] >= 0
            if not is_back:
                joined[number, 0], joined[number, 1] = begin, vertex
            new_refs[total] = 2 * number + is_back
            total += 1
            begin, number = vertex, numbers[refs[at] >> 1]
        new_starts[group + 1] = total
    return (new_starts, new_refs[:total].copy()), joined, numbers


@compiled
def _number_edges(outlines: Outlines, edges: Ints, gone: Flags) -> tuple[Ints, int]:
    """Return the new number of each edge, -1 if it is removed; and the number of new edges."""
    starts, refs, _, _, is_left_out = outlines
    parents = np.arange(len(edges)).astype(np.int32)
    for group in range(len(starts) - 1):
        for at in range(starts[group], starts[group + 1]):
            after = at + 1 if at + 1 < starts[group + 1] else starts[group]
            if is_left_out[edges[refs[after] >> 1, refs[after] & 1]]:
                _unite(parents, refs[at] >> 1, refs[after] >> 1)
    numbers, num_edges = np.full(len(edges), -1, np.int32), 0
    for edge in range(len(edges)):
        if not gone[edge]:
            root = _root(parents, edge)
            if root == edge:
                numbers[edge] = num_edges
                num_edges += 1
            else:
                numbers[edge] = numbers[root]
    return numbers, num_edges

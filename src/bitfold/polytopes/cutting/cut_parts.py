"""A cut of many faces, in parts by several threads. Importing this module imports Numba."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bitfold.polytopes.cutting import cut_faces as sizes_of
from bitfold.polytopes.cutting.cut import Made, cut, cut_faces, make_made
from bitfold.polytopes.cutting.cut_edges import Doubles, Ints, classify, cross_edges, split_edges
from bitfold.polytopes.cutting.cut_emit import (
    BROKEN_OFF,
    EDGES,
    FACES,
    FURTHER,
    GIVEN_UP,
    SIDES,
    VERTICES,
)
from bitfold.polytopes.cutting.cut_faces import Faces, limit_sizes, measure_faces
from bitfold.runtime.compiling import compiled
from bitfold.runtime.threads import in_order, parts_of

# Faces that are worth a thread of their own: some milliseconds' work.
_PART_FACES = 2**14


def cut_by_threads(
    values: Doubles,
    bounds: Doubles,
    edges: Ints,
    owners: Ints,
    faces: Faces,
    first_neuron: int,
    num_spare: int,
    max_faces: int,
) -> Any:
    """What `cut.cut` does, with the same result, by as many threads as PyTorch may use.

    Source: none, ours.
    """
    parts = parts_of(0, len(faces[0]) - 1, _PART_FACES, 1)
    if len(parts) == 1 or torch.get_num_threads() == 1:
        return cut(values, bounds, edges, owners, faces, first_neuron, num_spare, max_faces)
    num_words = (values.shape[1] + 63) // 64
    signs = (
        np.empty((len(values), num_words), np.uint64),
        np.empty((len(values), num_words), np.uint64),
    )
    rows = [len(values) * part // len(parts) for part in range(len(parts) + 1)]

    def classify_part(number: int) -> bool:
        some = slice(rows[number], rows[number + 1])
        found: bool = classify(values[some], bounds, signs[0][some], signs[1][some])
        return found

    has_zeros = any(in_order(classify_part, range(len(parts))))
    firsts, neurons, places, vertices, children, num_vertices, crossed = cross_edges(
        edges, signs, values, bounds
    )
    num_new, num_edges = num_vertices - len(values), int(children[-1])
    ends, along = np.empty((num_new, 2), np.int32), np.empty(num_new)
    outer, outer_owners = np.empty((num_edges, 2), np.int32), np.empty(num_edges, np.int32)
    on_edges = (ends, along, outer, outer_owners)
    split_edges(edges, owners, (firsts, places, vertices), len(values), on_edges)
    crossings, numbers = (firsts, neurons, vertices), (values, bounds, ends, along)

    progress = np.diff([*(part[0] for part in parts), len(faces[0]) - 1])

    def cut_part(number: int) -> tuple[Made, NDArray[np.int64], Ints, int]:
        first, stop = parts[number]
        some = (faces[0][first : stop + 1], faces[1])
        masks = np.empty((stop - first, num_words), np.uint64)
        touching, sizes = np.empty((num_spare, 2), np.int32), np.empty(9, np.int64)
        measure_faces(some, edges, signs, (crossed, has_zeros), masks, touching, sizes)
        limit_sizes(sizes, max_faces)
        made, offsets = make_made(sizes, num_spare), (num_vertices, num_edges)
        before = (some, edges, children, crossings, signs, masks)
        counts = cut_faces(before, numbers, offsets, sizes, made, progress, number, max_faces)
        return made, counts, touching, int(sizes[sizes_of.NUM_TOUCHING])

    found = in_order(cut_part, range(len(parts)))
    return _assemble(on_edges, found, children, (num_vertices, num_edges, first_neuron))


def _assemble(
    on_edges: tuple[Ints, Doubles, Ints, Ints],
    found: list[tuple[Made, NDArray[np.int64], Ints, int]],
    children: Ints,
    offsets: tuple[int, int, int],
) -> Any:
    """The parts behind one another, as `cut.cut` returns them."""
    num_vertices, num_edges, first_neuron = offsets
    ends, along, edges, owners = ([item] for item in on_edges)
    starts, sides = [np.zeros(1, np.int32)], []
    further, touching = [], []
    vertices_so_far = edges_so_far = sides_so_far = given_up = broken_off = 0
    for made, counts, touched, num_touched in found:
        num_made = counts[EDGES]
        shift_from(made[2][:num_made].reshape(-1), num_vertices, vertices_so_far)
        shift_from(made[5][: counts[SIDES]], 2 * num_edges, 2 * edges_so_far)
        ends.append(made[0][: counts[VERTICES]])
        along.append(made[1][: counts[VERTICES]])
        edges.append(made[2][:num_made])
        owners.append(made[3][:num_made] + np.int32(first_neuron))
        starts.append(made[4][1 : counts[FACES] + 1] + np.int32(sides_so_far))
        sides.append(made[5][: counts[SIDES]])
        shift_from(made[6][: counts[FURTHER], 0], num_edges, edges_so_far)
        further.append(made[6][: counts[FURTHER]])
        touching.append(touched[:num_touched])
        vertices_so_far += int(counts[VERTICES])
        edges_so_far += int(counts[EDGES])
        sides_so_far += int(counts[SIDES])
        given_up += int(counts[GIVEN_UP])
        broken_off += int(counts[BROKEN_OFF])
    most = max(max(int(counts[FURTHER]), touched) for _, counts, _, touched in found)
    return (
        np.concatenate(ends),
        np.concatenate(along),
        np.concatenate(edges),
        np.concatenate(owners),
        (np.concatenate(starts), np.concatenate(sides)),
        children,
        np.concatenate(further),
        np.concatenate(touching),
        (sum(map(len, further)), sum(map(len, touching)), given_up, most, broken_off),
    )


@compiled
def shift_from(numbers: Ints, first: int, by: int) -> None:
    """Add to all numbers that are not below a first one."""
    for k in range(len(numbers)):
        if numbers[k] >= first:
            numbers[k] += by

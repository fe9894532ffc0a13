"""A cut of many faces by several threads. Importing this module imports Numba."""

import numpy as np
import torch

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
    Made,
    Split,
)
from bitfold.polytopes.cutting.loops.cut import cut, cut_part, split_mesh
from bitfold.polytopes.cutting.loops.edges import classify
from bitfold.runtime.compiling import compiled
from bitfold.runtime.threads import in_order, parts_of

# The fewest faces that are worth a thread: some milliseconds' work.
_THREAD_FACES = 2**14


def cut_by_threads(
    values: Doubles,
    bounds: Doubles,
    edges: Ints,
    owners: Ints,
    faces: Faces,
    first_neuron: int,
    num_spare: int,
    max_faces: int,
) -> Cut:
    """Do what `cut.cut_mesh` does, with the same result, by as many threads as PyTorch may use."""
    ranges = parts_of(0, len(faces[0]) - 1, _THREAD_FACES, 1)
    if len(ranges) == 1 or torch.get_num_threads() == 1:
        return cut(values, bounds, edges, owners, faces, first_neuron, num_spare, max_faces)
    num_words = (values.shape[1] + 63) // 64
    signs = (
        np.empty((len(values), num_words), np.uint64),
        np.empty((len(values), num_words), np.uint64),
    )
    rows = [len(values) * thread // len(ranges) for thread in range(len(ranges) + 1)]

    def classify_some(thread: int) -> bool:
        some = slice(rows[thread], rows[thread + 1])
        found: bool = classify(values[some], bounds, signs[0][some], signs[1][some])
        return found

    has_zeros = any(in_order(classify_some, range(len(ranges))))
    split = split_mesh(values, bounds, edges, owners, signs)
    progress = np.diff([*(first for first, _ in ranges), len(faces[0]) - 1])

    def cut_some(thread: int) -> tuple[Made, Ints, int]:
        first, stop = ranges[thread]
        some = (faces[0][first : stop + 1], faces[1])
        return cut_part(
            some, edges, values, bounds, signs, has_zeros, split, num_spare, progress, thread,
            max_faces,
        )  # fmt: skip

    return _joined(split, in_order(cut_some, range(len(ranges))), first_neuron)


def _joined(split: Split, found: list[tuple[Made, Ints, int]], first_neuron: int) -> Cut:
    """Join the results of all threads, in order."""
    num_edges = len(split.edges)
    ends, along, edges, owners = [split.ends], [split.along], [split.edges], [split.owners]
    starts, sides = [np.zeros(1, np.int32)], []
    further, touching = [], []
    vertices_so_far = edges_so_far = sides_so_far = 0
    for made, touched, num_touched in found:
        counts = made.counts
        num_made = counts[EDGES]
        _shift_from(made.edges[:num_made].reshape(-1), split.num_vertices, vertices_so_far)
        _shift_from(made.sides[: counts[SIDES]], 2 * num_edges, 2 * edges_so_far)
        ends.append(made.ends[: counts[VERTICES]])
        along.append(made.along[: counts[VERTICES]])
        edges.append(made.edges[:num_made])
        owners.append(made.neurons[:num_made] + np.int32(first_neuron))
        starts.append(made.starts[1 : counts[FACES] + 1] + np.int32(sides_so_far))
        sides.append(made.sides[: counts[SIDES]])
        _shift_from(made.further[: counts[FURTHER], 0], num_edges, edges_so_far)
        further.append(made.further[: counts[FURTHER]])
        touching.append(touched[:num_touched])
        vertices_so_far += int(counts[VERTICES])
        edges_so_far += int(counts[EDGES])
        sides_so_far += int(counts[SIDES])
    totals = np.sum([made.counts for made, _, _ in found], axis=0)
    return Cut(
        np.concatenate(ends),
        np.concatenate(along),
        np.concatenate(edges),
        np.concatenate(owners),
        (np.concatenate(starts), np.concatenate(sides)),
        split.children,
        np.concatenate(further),
        np.concatenate(touching),
        num_further=sum(map(len, further)),
        num_touching=sum(map(len, touching)),
        num_given_up=int(totals[GIVEN_UP]),
        num_needed=max(max(int(made.counts[FURTHER]), touched) for made, _, touched in found),
        is_broken_off=int(totals[BROKEN_OFF]),
    )


@compiled
def _shift_from(numbers: Ints, first: int, by: int) -> None:
    """Add a number to all numbers that are not below a first one."""
    for k in range(len(numbers)):
        if numbers[k] >= first:
            numbers[k] += by

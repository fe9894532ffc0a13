"""The share of a partition on which each neuron is on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.partition import Partition

Doubles = NDArray[np.float64]
_ONE, _LOW_BITS = np.uint64(1), np.uint64(63)
_LEAST = float(np.finfo(np.float64).epsneg)


def share_on(found: Partition) -> Doubles:
    """Return the share of the domain's area on which each neuron is above its threshold.

    All patterns follow from the pattern of one face. The area of a neuron is a sum along its own
    folds and along the part of the border where it is on (Green's theorem).

    Returns:
        float64 (neurons,): exactly 0 or 1 for a neuron without a fold, and for no other neuron.
    """
    patterns = _patterns(found)
    centre = found.vertices.mean(0)
    from_x, from_y = (found.vertices[found.edges[:, 0]] - centre).T
    to_x, to_y = (found.vertices[found.edges[:, 1]] - centre).T
    sweeps = (from_x * to_y - from_y * to_x) / 2
    # A fold's owner is on at one side. If that is the right side, the fold is traversed backwards.
    edges = np.repeat(np.arange(len(found.edges)), np.diff(found.owner_offsets))
    words, bits = found.owners >> 6, found.owners.astype(np.uint64) & _LOW_BITS
    is_left = (patterns[found.neighbours[edges, 0], words] >> bits) & _ONE > 0
    signed = np.where(is_left, sweeps[edges], -sweeps[edges])
    areas = np.bincount(found.owners, signed, minlength=found.num_neurons)
    border = np.flatnonzero(found.neighbours.min(1) < 0)
    outwards = np.where(found.neighbours[border, 0] < 0, -sweeps[border], sweeps[border])
    beside = _unpacked(patterns[found.neighbours[border].max(1)], found.num_neurons)
    areas = areas + outwards @ beside
    has_fold = np.bincount(found.owners, minlength=found.num_neurons) > 0
    is_on = _unpacked(patterns[:1], found.num_neurons)[0]
    # A neuron with a fold is on somewhere and off somewhere, however small the area is.
    within = np.clip(areas / outwards.sum(), _LEAST, 1 - _LEAST)
    shares: Doubles = np.where(has_fold, within, is_on)
    return shares


def _patterns(found: Partition) -> NDArray[np.uint64]:
    """The patterns of all faces, from one evaluation in the largest face."""
    from bitfold.polytopes.measuring.measure_kernels import spread_pattern  # noqa: PLC0415 - imports Numba

    start = int(np.argmax(found.areas))
    first = found.backend.patterns_on(np.array([start]))
    patterns = np.empty((found.num_polytopes, first.shape[1]), np.uint64)
    patterns[start] = first[0]
    faces = found.face_offsets, found.face_edges
    owners = found.owner_offsets, found.owners
    num_reached = spread_pattern(patterns, start, faces, found.neighbours, owners)
    assert num_reached == found.num_polytopes
    return patterns


def _unpacked(patterns: NDArray[np.uint64], num_neurons: int) -> NDArray[np.uint8]:
    """The bits as numbers 0 and 1, (N, neurons)."""
    octets = patterns.astype("<u8").view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little", count=num_neurons)

"""Cuts along the folds of max-pooling and of maxima: where the winner of a window changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.polytopes.cutting.mesh import BORDER, Mesh
from bitfold.polytopes.lowering.choices import Choice

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

# The most numbers that are held at a time.
_CHUNK_NUMEL = 2**22


class WinnerCut:
    """One cut of a mesh along the folds of a `choices.Choice`.

    In each round of the tournament the mesh is cut where the difference of two earlier winners
    changes sign. Where both lose a later round, the new edge is no fold. In the end each new edge
    is owned by the elements that win on its two sides; if they are equal, the edge is removed.

    Args:
        mesh: changed.
        choice: the windows.
        slack: float64 (windows,), the largest error of a difference.
        first_neuron: the number of the first element of the first window.
        max_faces: the largest number of faces.
    """

    def __init__(
        self, mesh: Mesh, choice: Choice, slack: Tensor, first_neuron: int, max_faces: int
    ) -> None:
        self._mesh, self._choice, self._slack = mesh, choice, slack
        self._first, self._max_faces = first_neuron, max_faces
        self._num_before = len(mesh.points)
        # The window that each provisional neuron, numbered from the first, compares winners of.
        self._windows: Longs = np.empty(0, np.int64)

    def cut(self, values: Tensor, extend: Callable[[Ints, Doubles], Tensor]) -> NDArray[np.bool_]:
        """Cut the mesh.

        Args:
            values: (vertices, ...), the elements of the windows.
            extend: called with the result of `Mesh.cut`; returns the values at all vertices.

        Returns:
            (vertices,), whether each vertex stays.
        """
        # Numba takes half a second to import: only those who cut wait for it.
        from bitfold.polytopes.cutting.loops.winners import compare, contested  # noqa: PLC0415

        windows, slack = self._choice.windows.numpy(), self._slack.numpy()
        for comparisons in self._choice.rounds():
            tournament = (windows, float(self._choice.sign), np.array(comparisons))
            rows = values.reshape(len(values), -1).numpy()
            asked = contested(rows, tournament, slack)
            if not len(asked):
                continue
            differences, number = compare(rows, tournament, asked), self._first + len(self._windows)
            ends, along = self._mesh.cut(differences, slack[asked[:, 0]], number, self._max_faces)
            self._windows = np.concatenate([self._windows, asked[:, 0]])
            values = extend(ends, along)
        is_left = self._settle(values.reshape(len(values), -1))
        return dissolve(self._mesh, is_left, self._num_before)

    def _settle(self, values: Tensor) -> NDArray[np.bool_]:
        """Let winners beside new edges own the edges; return which edges have no owner left."""
        mesh, first = self._mesh, self._first
        is_fresh = mesh.owners >= first
        own = np.stack([np.flatnonzero(is_fresh), mesh.owners[is_fresh]], 1)
        is_further = mesh.further[:, 1] >= first
        pairs = np.concatenate([own, mesh.further[is_further]]).astype(np.int64)
        pairs[:, 1] = self._windows[pairs[:, 1] - first]
        edges, windows = np.unique(pairs, axis=0).T
        left, right = mesh.neighbours()[edges].T
        winners = self._winners(values, np.concatenate([left, right]), np.tile(windows, 2))
        one, other = winners.reshape(2, -1)
        changed = np.flatnonzero(one != other)
        places = self._choice.windows.shape[1] * np.tile(windows[changed], 2) + first
        neurons = places + np.concatenate([one[changed], other[changed]])
        owned = np.unique(np.stack([np.tile(edges[changed], 2), neurons], 1), axis=0)
        mesh.owners[is_fresh] = BORDER
        # The first owner of each new edge goes into `owners`, the others into `further`.
        is_first = np.diff(owned[:, 0], prepend=-1) != 0
        is_first &= is_fresh[owned[:, 0]]
        mesh.owners[owned[is_first, 0]] = owned[is_first, 1]
        rest = [mesh.further[~is_further], owned[~is_first]]
        mesh.further = np.concatenate(rest).astype(np.int32)
        return np.asarray(is_fresh & (mesh.owners == BORDER))

    def _winners(self, values: Tensor, faces: Ints, windows: Longs) -> Longs:
        """Return the place that wins for each pair of a face and a window: int64 (n,)."""
        num_windows = len(self._choice.windows)
        asked, back = np.unique(faces.astype(np.int64) * num_windows + windows, return_inverse=True)
        found = np.empty(len(asked), np.int64)
        faces, windows = (asked // num_windows).astype(np.int32), asked % num_windows
        starts, corners = self._mesh.faces[0], torch.from_numpy(self._mesh.corners())
        sizes = starts[faces + 1] - starts[faces]
        step = max(1, _CHUNK_NUMEL // (int(sizes.max(initial=1)) * self._choice.windows.shape[1]))
        for begin in range(0, len(asked), step):
            some = slice(begin, begin + step)
            count = torch.from_numpy(sizes[some]).long()
            firsts = count.cumsum(0) - count
            owner = torch.repeat_interleave(torch.arange(len(count), device="cpu"), count)
            at = torch.from_numpy(starts[faces[some]]).long()
            rows = corners[(at - firsts)[owner] + torch.arange(len(owner), device="cpu")].long()
            chosen = torch.from_numpy(windows[some])
            best = values[rows[:, None], self._choice.windows[chosen][owner]] * self._choice.sign
            found[some] = _tournament(best, owner, firsts, self._slack[chosen])
        return found[back]


def _tournament(best: Tensor, owner: Tensor, firsts: Tensor, slack: Tensor) -> Longs:
    """Return winners on faces. A later element wins if it is surely larger at any vertex.

    Args:
        best: (rows, places), elements at vertices; changed.
        owner: (rows,), the pair of a face and a window that each row belongs to, ascending.
        firsts: the first row of each pair.
        slack: of each pair.
    """
    num_places = best.shape[1]
    places = torch.arange(num_places, device="cpu").expand(len(slack), num_places).clone()
    half = 1
    while half < num_places:
        first, second = slice(None, num_places - half, 2 * half), slice(half, None, 2 * half)
        over = best[:, second] - best[:, first]
        most = torch.from_numpy(np.maximum.reduceat(over.numpy(), firsts, axis=0))
        wins = most > slack[:, None]
        places[:, first] = torch.where(wins, places[:, second], places[:, first])
        best[:, first] = torch.where(wins[owner], best[:, second], best[:, first])
        half *= 2
    winners: Longs = places[:, 0].numpy()
    return winners


def dissolve(mesh: Mesh, gone: NDArray[np.bool_], num_fixed: int) -> NDArray[np.bool_]:
    """Remove edges of a mesh, and the vertices that then lie within straight edges.

    Without an edge, a face can lose its simple outline because of rounding. Then the edge stays,
    and is counted in ``mesh.num_given_up``.

    Args:
        mesh: changed.
        gone: (edges,), whether each edge is removed; no edge of the border is.
        num_fixed: the number of first vertices, which all stay.

    Returns:
        (vertices,), whether each vertex stays.
    """
    # Numba takes half a second to import: only those who cut wait for it.
    from bitfold.polytopes.cutting.loops.merging import join_edges, outline_groups  # noqa: PLC0415

    is_fixed = np.arange(len(mesh.points)) < num_fixed
    if not gone.any():
        return np.ones_like(is_fixed)
    beside = mesh.neighbours()
    while True:
        outlines = outline_groups(mesh.faces, mesh.edges, beside, gone, is_fixed)
        is_bad = outlines[3]
        if not is_bad.any():
            break
        mesh.num_given_up += int(is_bad.sum())
        is_near = is_bad[outlines[2]][beside].any(1)
        gone = gone & ~is_near
        is_fixed[mesh.edges[is_near]] = True
    kept = ~outlines[4]
    faces, edges, numbers = join_edges(outlines, mesh.edges, gone)
    owners = np.empty(len(edges), np.int32)
    owners[numbers[~gone]] = mesh.owners[~gone]
    mesh.faces, mesh.owners = faces, owners
    mesh.edges = (np.cumsum(kept) - 1).astype(np.int32)[edges]
    mesh.points = mesh.points[kept]
    further = mesh.further.copy()
    further[:, 0] = numbers[further[:, 0]]
    mesh.further = np.unique(further, axis=0)
    return kept

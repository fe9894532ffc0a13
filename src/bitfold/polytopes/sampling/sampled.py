"""The sampled engine: activation patterns at points, and folds between the pixels of a raster.

Patterns are compared bit by bit: two patterns are equal only if every neuron has the same sign.
What lies between the samples is not seen: a polytope that contains no pixel's centre is missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bitfold.errors import PolytopeError
from bitfold.polytopes.plane import OnPlane, Plane
from bitfold.polytopes.sampling.pattern_recorder import evaluate_module
from bitfold.polytopes.tracing.evaluation import (
    check_finite,
    evaluation_mode,
    network_of,
    points_like,
    try_run,
)
from bitfold.runtime.display.html_tables import html_facts

MAX_POINTS: Final = 2**28
# Pixels whose patterns are held at once. They are few enough to stay in a core's cache.
BAND_PX: Final = 2**18


@dataclass(frozen=True, eq=False)
class SampledPartition:
    """What a module does on a raster: its values, its folds and how many polytopes are seen.

    Args:
        values: float32 (height, width, outputs).
        folds: bool (height, width), lines one pixel thin.
        num_polytopes: number of distinct activation patterns among the pixels of the raster; a
            polytope that contains no pixel's centre is not counted.
    """

    values: npt.NDArray[np.float32]
    folds: npt.NDArray[np.bool_]
    num_polytopes: int

    def __repr__(self) -> str:
        height, width = self.folds.shape
        return f"SampledPartition({self.num_polytopes:,} polytopes on {width} x {height} points)"

    def _repr_html_(self) -> str:
        height, width = self.folds.shape
        facts = {"polytopes seen": f"{self.num_polytopes:,}", "points": f"{width} x {height}"}
        return html_facts("Polytopes on a raster", facts)


def sample_patterns(
    module: nn.Module, points: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint64]]:
    """Evaluate a module at points and tell which neurons' pre-activations are positive there.

    A neuron is an element of the input of an elementwise nonlinear operation, called as a module or
    as a function: see `tracing.nonlinearities` for the list. A neuron that is clipped at two values
    (hardtanh, clamp) counts twice. Each element of each window of a max-pooling is a neuron too,
    active where it is the largest of its window. A smooth operation applied last, as an output,
    does not count.

    Args:
        module: any module from (N, d) to (N, outputs), the batch first throughout. It is run in
            evaluation mode without gradients and left as it was found.
        points: (N, d), at most 2**28 of them; rounded to float32.

    Returns:
        Values, float32 (N, outputs), and patterns, uint64 (N, words) with at least one word: neuron
        k, in the order of evaluation, is bit k % 64 of word k // 64.

    Raises:
        PolytopeError: if there are no points or too many, a coordinate or weight is not finite, the
            module cannot take the points, or it does what has no polytopes here, such as
            sorting.

    Guarantees: deterministic on one machine. A sign may differ from exact arithmetic where the
    pre-activation is within float32 rounding of 0.

    >>> import torch
    >>> neuron = nn.Linear(1, 1)
    >>> _ = neuron.load_state_dict({"weight": torch.tensor([[2.0]]), "bias": torch.tensor([-1.0])})
    >>> module = nn.Sequential(neuron, nn.ReLU())
    >>> values, patterns = sample_patterns(module, np.array([[0.0], [1.0]]))
    >>> values.tolist(), patterns.tolist()
    ([[0.0], [1.0]], [[0], [1]])
    """
    positions = np.asarray(points)
    if positions.ndim != 2 or positions.size == 0 or len(positions) > MAX_POINTS:
        message = (
            f"Cannot sample patterns: expected 1 to {MAX_POINTS:,} points as an array (N, d), "
            f"got shape {positions.shape}. Give one row for each point."
        )
        raise PolytopeError(message)
    columns = np.ascontiguousarray(_finite_float32(positions, "points").T)
    module = network_of(module)
    check_finite(module)
    with evaluation_mode(module):
        _try_points(module, columns)
        values, patterns = evaluate_module(module, columns)
    return values, np.ascontiguousarray(patterns.T)


def sample_partition(
    module: nn.Module,
    xs: npt.NDArray[np.floating],
    ys: npt.NDArray[np.floating],
    *,
    extra: Sequence[float] = (),
    plane: Plane | None = None,
) -> SampledPartition:
    """Find values, folds and the number of polytopes of a module on a raster.

    A pixel is a fold pixel if its activation pattern differs from that of its right or lower
    neighbour. In the left column and the top row it is also compared with the pixel that would
    precede it. For that, one ring of pixels around the raster is evaluated: xs and ys are continued
    by their first and last steps, a single column or row by the other axis's step.

    Args:
        module: any module from (N, d) to (N, outputs), as for `sample_patterns`.
        xs: (width,), first coordinate of each column.
        ys: (height,), second coordinate of each row.
        extra: the further d - 2 coordinates, the same for all pixels, such as a time.
        plane: where the raster lies among the module's inputs, which then may have any shape; None
            for a module that takes points.

    Returns:
        The raster's values, folds and number of polytopes.

    Raises:
        PolytopeError: as for `sample_patterns`, and if the raster has no pixel or more than 2**28.

    Guarantees: deterministic on one machine; beside the result, memory for about 2**18 pixels.

    >>> import torch
    >>> neuron = nn.Linear(2, 1)
    >>> _ = neuron.load_state_dict({"weight": torch.tensor([[1.0, 0.0]]), "bias": torch.zeros(1)})
    >>> module = nn.Sequential(neuron, nn.ReLU())
    >>> partition = sample_partition(module, np.arange(-2, 3) + 0.5, np.arange(2))
    >>> partition.folds.astype(int).tolist(), partition.num_polytopes
    ([[0, 1, 0, 0, 0], [0, 1, 0, 0, 0]], 2)
    """
    columns, rows = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
    _check_raster(columns, rows)
    module = network_of(module)
    module = module if plane is None else OnPlane(module, plane)
    ring_xs = _finite_float32(_with_ring(columns, rows), "columns")
    ring_ys = _finite_float32(_with_ring(rows, columns), "rows")
    further = _finite_float32(np.asarray(extra, np.float64).reshape(-1), "further coordinates")
    check_finite(module)
    with evaluation_mode(module):
        _try_points(module, _raster_points(ring_xs[1:-1], ring_ys[1:-1][:1], further))
        return _partition(module, ring_xs, ring_ys, further)


def _partition(
    module: nn.Module,
    ring_xs: npt.NDArray[np.float32],
    ring_ys: npt.NDArray[np.float32],
    further: npt.NDArray[np.float32],
) -> SampledPartition:
    """Evaluate band after band of rows, each with a ring of one pixel around it."""
    # Numba takes 0.4 s to import: only those who sample wait for it.
    from bitfold.polytopes.sampling.fold_pixels import find_folds  # noqa: PLC0415

    width, height = len(ring_xs) - 2, len(ring_ys) - 2
    folds = np.empty((height, width), np.bool_)
    values, seen = [], []
    band = max(1, BAND_PX // width)
    for row in range(0, height, band):
        end = min(row + band, height)
        points = _raster_points(ring_xs, ring_ys[row : end + 2], further)
        band_values, patterns = evaluate_module(module, points)
        shape = (end - row + 2, width + 2)
        values.append(band_values.reshape(*shape, -1)[1:-1, 1:-1])
        patterns = patterns.reshape(-1, *shape)
        is_new = np.empty((end - row, width), np.bool_)
        find_folds(patterns, row == 0, folds[row:end], is_new)
        seen.append(distinct_columns(patterns[:, 1:-1, 1:-1][:, is_new]))
    num_polytopes = distinct_columns(np.concatenate(seen, axis=1)).shape[1]
    # A copy, so that the ring is not kept alive.
    return SampledPartition(np.concatenate(values), folds, num_polytopes)


def distinct_columns(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Keep one of each group of equal columns, by comparing all their bits.

    Args:
        words: uint64 (words, N).

    Returns:
        uint64 (words, distinct), sorted.

    >>> distinct_columns(np.array([[1, 0, 1], [2, 2, 2]], np.uint64)).tolist()
    [[0, 1], [2, 2]]
    """
    ordered = words[:, np.lexsort(words)]
    keep = np.ones(words.shape[1], np.bool_)
    keep[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    return ordered[:, keep]


def _try_points(module: nn.Module, points: npt.NDArray[np.float32]) -> None:
    """Run a module on three of the points (d, N), so that errors name the points."""
    num_points = points.shape[1]
    few = np.ascontiguousarray(points[:, [0, num_points // 2, num_points - 1]].T)
    try_run(module, points_like(module, torch.from_numpy(few)))


def _check_raster(xs: npt.NDArray[np.float64], ys: npt.NDArray[np.float64]) -> None:
    if xs.ndim != 1 or ys.ndim != 1 or not 0 < xs.size * ys.size <= MAX_POINTS:
        message = (
            f"Cannot sample a partition: expected columns and rows of a raster of 1 to "
            f"{MAX_POINTS:,} pixels, got shapes {xs.shape} and {ys.shape}. "
            "Give one coordinate for each column and each row."
        )
        raise PolytopeError(message)


def _finite_float32(coordinates: npt.NDArray[np.floating], what: str) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        rounded = coordinates.astype(np.float32)
    if not np.isfinite(rounded).all():
        message = (
            f"Cannot sample patterns: expected finite {what}, got "
            f"{coordinates[~np.isfinite(rounded)][0]}. Leave out what does not fit into float32."
        )
        raise PolytopeError(message)
    return rounded


def _with_ring(
    axis: npt.NDArray[np.float64], other: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Continue an axis by one step at both ends."""
    steps = np.diff(axis)
    if steps.size == 0:
        steps = np.diff(other)[:1] if other.size > 1 else np.zeros(1)
    return np.concatenate([axis[:1] - steps[0], axis, axis[-1:] + steps[-1]])


def _raster_points(
    xs: npt.NDArray[np.float32], ys: npt.NDArray[np.float32], further: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """List the points of a raster in reading order, float32 (2 + further, height * width)."""
    points = np.empty((2 + len(further), len(ys), len(xs)), np.float32)
    points[0] = xs
    points[1] = ys[:, None]
    points[2:] = further[:, None, None]
    return points.reshape(len(points), -1)

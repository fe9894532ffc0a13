"""Numbers that summarise a partition, to be followed while a network trains."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bitfold.errors import PolytopeError
from bitfold.polytopes.measuring.nearness import distance_to_boundary, distances_to_folds
from bitfold.polytopes.measuring.neuron_areas import share_on
from bitfold.polytopes.measuring.slopes import slope_norms
from bitfold.polytopes.partition import Partition
from bitfold.polytopes.subdivision.level_sets import boundary_segments, level_segments
from bitfold.runtime.display.html_tables import html_facts

Doubles = NDArray[np.float64]

#: The names in `FoldMeasures.numbers`, apart from the fold length of each layer.
FOLD_MEASURES = (
    "num_polytopes",
    "polytopes_over_half_n_squared",
    "area_of_largest_percent",
    "fold_length_per_area",
    "dead_neurons",
    "always_on_neurons",
    "mean_area_on",
    "point_fold_distance",
    "fold_boundary_distance",
    "slope_norm",
    "slope_jump",
)
#: The name of a layer's fold length, without the number of the layer, from 1.
LAYER_MEASURE = "fold_length_per_area_layer_"


@dataclass(frozen=True, eq=False)
class FoldMeasures:
    """The result of `measure_folds`; docs/measures.md has formulas and sources.

    Lengths, areas and distances are in the plane's coordinates. A number that does not exist is
    None.

    Args:
        num_polytopes: the number of polytopes.
        polytopes_over_half_n_squared: ``num_polytopes`` divided by N^2 / 2, for N neurons.
        area_of_largest_percent: the share of the area in the largest hundredth of all polytopes.
        fold_length_per_area: the length of all folds divided by the domain's area. An edge with
            several owners counts once.
        fold_length_per_area_by_layer: the same for the folds of each layer.
        dead_neurons: the share of neurons that are below their threshold on the whole domain.
        always_on_neurons: the share of neurons that are above their threshold on the whole domain.
        area_on: float64 (neurons,), the share of the area on which each neuron is above its
            threshold.
        slope_norm: the mean slope over the area. The slope of a polytope is the Frobenius norm of
            its map's gradient (outputs x 2).
        slope_jump: the Frobenius norm of the difference between the gradients on both sides of a
            fold, mean over the length of all folds.
        point_fold_distance: the distance from a point to the nearest fold, mean over the points in
            the domain.
        fold_boundary_distance: the distance from a fold to the decision boundary, mean over the
            length of all folds.
    """

    num_polytopes: int
    polytopes_over_half_n_squared: float | None
    area_of_largest_percent: float
    fold_length_per_area: float
    fold_length_per_area_by_layer: tuple[float, ...]
    dead_neurons: float | None
    always_on_neurons: float | None
    area_on: Doubles
    slope_norm: float
    slope_jump: float | None
    point_fold_distance: float | None
    fold_boundary_distance: float | None

    def _repr_html_(self) -> str:
        facts = {field.name.replace("_", " "): getattr(self, field.name) for field in fields(self)}
        shown = {
            name: f"{value:,.5g}" if isinstance(value, float) else value
            for name, value in facts.items()
            if not isinstance(value, tuple | np.ndarray)
        }
        return html_facts("Measures of folds", shown)

    @property
    def mean_area_on(self) -> float | None:
        """The share of the area on which a neuron is above its threshold, mean over all neurons."""
        return float(self.area_on.mean()) if len(self.area_on) else None

    def numbers(self) -> dict[str, float | int]:
        """All numbers by name, as in a run's metrics. Numbers that are None are left out."""
        named = {name: getattr(self, name) for name in FOLD_MEASURES}
        for layer, length in enumerate(self.fold_length_per_area_by_layer, 1):
            named[f"{LAYER_MEASURE}{layer}"] = length
        return {name: value for name, value in named.items() if value is not None}


def measure_folds(
    found: Partition, points: Any = None, *, level: float | None = 0.0
) -> FoldMeasures:
    """Measure a partition: its polytopes, folds, neurons and maps.

    Source: docs/measures.md names one for each number. Lengths, areas and distances of points are
    exact up to rounding. `fold_boundary_distance` is a mean over 4,096 points along the folds.

    Args:
        found: a partition with the folds of all layers; fastest if it was found ``with_outputs``.
        points: (N, 2), in coordinates of the plane, such as the training points on it. Points
            outside the domain do not count. None: their distance is not measured.
        level: for a network with one output the value at which the decision changes; a network with
            several outputs decides for the largest. None: there is no decision boundary.

    Raises:
        PolytopeError: the points are not finite, or not of shape (N, 2).

    Guarantees: deterministic on one machine.

    >>> import torch
    >>> from torch import nn
    >>> from bitfold.polytopes import partition
    >>> network = nn.Sequential(nn.Linear(2, 1), nn.ReLU()).eval()
    >>> _ = network[0].load_state_dict({"weight": torch.eye(2)[:1], "bias": torch.zeros(1)})
    >>> measures = measure_folds(partition(network), [[0.2, 0.0], [0.4, 0.1]])  # it folds at x = 0
    >>> measures.num_polytopes, measures.fold_length_per_area, measures.slope_jump
    (2, 1.0, 1.0)
    >>> round(measures.point_fold_distance, 9)
    0.3
    """
    wanted = None if points is None else _checked(points)
    total = found.areas.sum()
    inner = np.flatnonzero(np.diff(found.owner_offsets) > 0)
    along = np.diff(found.vertices[found.edges], axis=1)[:, 0]
    lengths = np.hypot(along[:, 0], along[:, 1])
    slopes, jumps = slope_norms(found, found.vertex_outputs, inner)
    area_on = share_on(found)
    has_folds, num_neurons = len(inner) > 0, found.num_neurons
    boundary = np.empty(0) if level is None or not has_folds else _boundary(found, level)
    near = distances_to_folds(found, wanted) if has_folds and wanted is not None else np.empty(0)
    half_square = num_neurons**2 / 2
    return FoldMeasures(
        num_polytopes=found.num_polytopes,
        polytopes_over_half_n_squared=found.num_polytopes / half_square if num_neurons else None,
        area_of_largest_percent=_largest_percent(found.areas),
        fold_length_per_area=float(lengths[inner].sum() / total),
        fold_length_per_area_by_layer=tuple((_by_layer(found, lengths) / total).tolist()),
        dead_neurons=float((area_on == 0).mean()) if num_neurons else None,
        always_on_neurons=float((area_on == 1).mean()) if num_neurons else None,
        area_on=area_on,
        slope_norm=float((found.areas * slopes).sum() / total),
        slope_jump=float(np.average(jumps, weights=lengths[inner])) if has_folds else None,
        point_fold_distance=float(near.mean()) if len(near) else None,
        fold_boundary_distance=distance_to_boundary(found, boundary) if len(boundary) else None,
    )


def patterns_of_inputs(found: Partition, inputs: Any) -> NDArray[np.uint64]:
    """Return the activation patterns of inputs, which need not lie on the plane.

    Args:
        found: a partition of the network; neurons have the same numbers as in its patterns.
        inputs: (N, ...), each of the shape of the plane's origin.

    Returns:
        uint64 (N, words), as `Partition.patterns`.

    Raises:
        PolytopeError: the partition comes from a file, which does not contain the network.
    """
    whole = torch.as_tensor(inputs, device="cpu").detach().to("cpu", torch.float64)
    return found.backend.patterns_of_inputs(whole)


def _checked(points: Any) -> Doubles:
    found = np.array(points, np.float64)
    if found.ndim != 2 or found.shape[1] != 2 or not np.isfinite(found).all():
        raise PolytopeError(
            f"Cannot measure distances: expected finite points as an array (N, 2), got shape "
            f"{found.shape}. Give coordinates of the plane."
        )
    return found


def _largest_percent(areas: Doubles) -> float:
    """The share of the largest hundredth of all areas, which may include a part of an area."""
    descending = np.sort(areas)[::-1]
    count = max(1.0, len(areas) / 100)
    whole = int(count)
    part = (count - whole) * descending[whole] if whole < len(areas) else 0.0
    return float((descending[:whole].sum() + part) / areas.sum())


def _by_layer(found: Partition, lengths: Doubles) -> Doubles:
    """The length of each layer's folds. An edge with several owners in a layer counts once."""
    edges = np.repeat(np.arange(len(found.edges)), np.diff(found.owner_offsets))
    layers = found.owner_layers
    # Owners ascend along each edge, and so do their layers.
    is_first = np.ones(len(edges), bool)
    is_first[1:] = (np.diff(edges) > 0) | (np.diff(layers) > 0)
    sums = np.zeros(len(found.layer_sizes))
    np.add.at(sums, layers[is_first], lengths[edges[is_first]])
    return sums


def _boundary(found: Partition, level: float) -> Doubles:
    outputs = found.vertex_outputs
    if outputs.shape[1] == 1:
        return level_segments(found.subdivision, outputs[:, 0] - level)
    return boundary_segments(found.subdivision, outputs)

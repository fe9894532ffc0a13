"""The search for all polytopes of a network on a polygon of a plane."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bitfold.errors import PolytopeError
from bitfold.polytopes.backends import NetworkBackend
from bitfold.polytopes.cutting.exact import Cutting
from bitfold.polytopes.cutting.mesh import Mesh
from bitfold.polytopes.cutting.room import room_for_polytopes
from bitfold.polytopes.cutting.search_watch import ProgressHook, SearchWatch
from bitfold.polytopes.domain import corners_of
from bitfold.polytopes.drawing.shown_picture import shown_picture
from bitfold.polytopes.encoding_layers import num_encoding_layers
from bitfold.polytopes.lowering.cache import lower
from bitfold.polytopes.lowering.program import Program
from bitfold.polytopes.partition import Partition
from bitfold.polytopes.plane import Plane
from bitfold.polytopes.subdivision.subdivision import Subdivision
from bitfold.polytopes.tracing.evaluation import network_of

Doubles = NDArray[np.float64]

UNIT_SQUARE = ((-0.5, -0.5), (0.5, 0.5))
#: The plane of all inputs of a network with two inputs.
_FLAT = Plane(np.zeros(2), np.array([1.0, 0.0]), np.array([0.0, 1.0]))
#: The default limit on the number of polytopes.
MAX_POLYTOPES = 20_000_000
# A polytope has about four sides, and sides are numbered by int32.
_MOST_POLYTOPES = 2**28


@overload
def partition(
    network: nn.Module,
    domain: Any = ...,
    plane: Plane | tuple[Any, Any, Any] | None = ...,
    *,
    until_layer: int | None = ...,
    each_layer: Literal[False] = ...,
    max_polytopes: int = ...,
    with_outputs: bool = ...,
    progress: ProgressHook | None = ...,
    max_seconds: float | None = ...,
) -> Partition: ...
@overload
def partition(
    network: nn.Module,
    domain: Any = ...,
    plane: Plane | tuple[Any, Any, Any] | None = ...,
    *,
    until_layer: int | None = ...,
    each_layer: Literal[True],
    max_polytopes: int = ...,
    with_outputs: bool = ...,
    progress: ProgressHook | None = ...,
    max_seconds: float | None = ...,
) -> list[Partition]: ...


def partition(
    network: nn.Module,
    domain: Any = UNIT_SQUARE,
    plane: Plane | tuple[Any, Any, Any] | None = None,
    *,
    until_layer: int | None = None,
    each_layer: bool = False,
    max_polytopes: int = MAX_POLYTOPES,
    with_outputs: bool = False,
    progress: ProgressHook | None = None,
    max_seconds: float | None = None,
) -> Partition | list[Partition]:
    """Find every polytope of a network on a convex polygon of a plane through its inputs.

    A polytope is the set of inputs at which the same neurons are above the thresholds at which they
    bend. The network is affine on it.

    All vertices go through a layer in one product. The signs of the results, packed into words,
    give the neurons that cross each edge and fold each face; each face is then cut by its own
    chords. Bounds of the rounding errors decide the signs (see `bounds.Bounds`).

    Args:
        network: any module of piecewise linear operations, in evaluation mode. Its weights are read
            and used in float64; the module stays as it is.
        domain: two opposite corners of a rectangle, or the corners of a convex polygon in turn.
        plane: where the domain lies among the inputs: a `Plane`, or its origin and two directions.
            None for a network of two inputs.
        until_layer: the number of operations that bend after which folds are left out. Maps,
            patterns and outputs are still those of the whole network. None: all folds.
        each_layer: return the partition after each layer too, all found in one pass.
        max_polytopes: the limit on the number of polytopes, at most 2**28. A network with more is
            refused before memory is reserved for more: docs/polytopes.md says how much a polytope
            takes.
        with_outputs: compute `Partition.vertex_outputs` during the search, which is faster than
            computing them later.
        progress: called with a `SearchProgress` after each operation of the network. The first
            layers of a plain chain are cut in one go.
        max_seconds: end with an error when this time has passed. It is checked between operations.

    Returns:
        The partition. With ``each_layer`` a list of partitions, one for each layer; the last one
        has all folds that were asked for. A neuron has the same number in all of them. Before the
        last layer, faces are not yet polytopes of the whole network, and `Partition.check` refuses
        them.

    Raises:
        PolytopeError: the network is in training mode, is not piecewise linear, has a weight that
            is not finite, or has too many polytopes; the domain is not a convex polygon; or
            ``max_seconds`` have passed.

    >>> import torch
    >>> generator = torch.Generator().manual_seed(0)
    >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).eval()
    >>> for parameter in network.parameters():
    ...     _ = nn.init.normal_(parameter, generator=generator)
    >>> found = partition(network, domain=((-2, -2), (2, 2)))
    >>> found.num_polytopes, round(float(found.areas.sum()), 9)
    (6, 16.0)
    """
    if not 1 <= max_polytopes <= _MOST_POLYTOPES:
        raise PolytopeError(
            f"Cannot find polytopes: expected max_polytopes of 1 to {_MOST_POLYTOPES:,}, got "
            f"{max_polytopes}. Choose one of these."
        )
    watch = SearchWatch(progress, max_seconds)
    border = corners_of(domain)
    where = _plane(plane)
    module = network_of(network)
    program = Program(*lower(module, where.origin))
    mesh, by_layer = Mesh(border), []
    wanted = with_outputs and until_layer is None and not each_layer
    with torch.no_grad(), room_for_polytopes():
        cutting = Cutting(program, mesh, where, max_polytopes, until_layer, with_outputs=wanted)
        cutting.watch = watch
        if each_layer:
            cutting.after_bend = lambda: by_layer.append(_so_far(mesh, cutting, where))
        cutting.run_to_last_bend()
        outputs = cutting.outputs() if wanted else None
    shown = shown_picture(network)
    encoding = num_encoding_layers(module, tuple(program.lowered.bends.values()))
    found = by_layer or [_so_far(mesh, cutting, where, outputs)]
    found = [
        replace(one, picture=shown, num_encoding_layers=min(encoding, len(one.layer_sizes)))
        for one in found
    ]
    return found if each_layer else found[0]


def partition_again(
    found: Partition,
    domain: Any,
    plane: Plane,
    *,
    max_polytopes: int = MAX_POLYTOPES,
    max_seconds: float | None = None,
) -> Partition:
    """Find the polytopes of a partition's network on another polygon, or on another plane.

    The weights are those that the network had when it was partitioned, and the layers are the same.

    Args:
        found: a partition with its network.
        domain: as for `partition`.
        plane: as for `partition`.
        max_polytopes: as for `partition`.
        max_seconds: as for `partition`.

    Raises:
        PolytopeError: the partition is one from a file, or as for `partition`.
    """
    backend = found.backend
    if not isinstance(backend, NetworkBackend):
        raise PolytopeError(
            "Cannot find polytopes: expected a partition with its network, got one from a file. "
            "Partition the network again."
        )
    mesh = Mesh(corners_of(domain))
    until_layer = None if found.is_whole else len(found.layer_sizes)
    with torch.no_grad(), room_for_polytopes():
        cutting = Cutting(
            backend.program, mesh, plane, max_polytopes, until_layer, with_outputs=found.is_whole
        )
        cutting.watch = SearchWatch(None, max_seconds)
        cutting.run_to_last_bend()
        outputs = cutting.outputs() if found.is_whole else None
    again = _so_far(mesh, cutting, plane, outputs)
    return replace(again, picture=found.picture, num_encoding_layers=found.num_encoding_layers)


def _so_far(
    mesh: Mesh, cutting: Cutting, plane: Plane, outputs: Doubles | None = None
) -> Partition:
    """The partition by the folds so far. Later cuts make new arrays, so this one stays as it is."""
    program, sizes = cutting.program, tuple(cutting.sizes)
    subdivision = Subdivision(mesh.points, mesh.edges, mesh.faces[0], *mesh.described())
    bends = tuple(program.lowered.bends.values())
    is_whole = len(sizes) == len(bends)
    backend = NetworkBackend(subdivision, is_whole, program, plane, outputs)
    return Partition(subdivision, sizes, bends[: len(sizes)], mesh.num_given_up, plane, backend)


def _plane(plane: Plane | tuple[Any, Any, Any] | None) -> Plane:
    if isinstance(plane, Plane):
        return plane
    return _FLAT if plane is None else Plane(*plane)

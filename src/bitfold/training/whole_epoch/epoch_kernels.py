"""The steps of an epoch in one compiled call. Importing this module imports Numba.

The passes through the network and the sums of K are called by address: they are the loops that
single steps use, to the last bit. The rest of a step is here and in `optimizers.kernels`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined
from bitfold.runtime.loop_cache.addresses import call_for_nothing, call_for_number
from bitfold.training.whole_epoch.optimizers.kernels import Matrices, update

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

Points = tuple[Ints, Floats, Floats]
"""The epoch's order (N,), points (N, I), and values (N, O) or classes as numbers (N, 1)."""

Batch = tuple[Floats, Floats, Floats, Floats]
"""Room for a batch's points, values, outputs and the gradient by the outputs, each (B, ...)."""

Network = tuple[Floats, Ints, Floats]
Room = tuple[Floats, Floats]

Learner = tuple[Floats, Floats, Floats, Doubles, Doubles, Matrices]
"""Parameters, their gradient, and what else `update` takes of their optimiser."""

Doors = tuple[int, int]
"""Addresses of the forward and the backward pass."""

CoordinateK = tuple[
    Floats, Ints, tuple[float, int], Ints, Floats, Floats, Doubles, Doubles, Floats
]  # fmt: skip
"""Positions (P, C); widths, targets as `sum_rows` takes them; its parts (parts, 2); room for the
indices (P,), the gradient by them, and those by the predictor (parts, own); minimum and width of
the bins, the largest float32, and 1 / P; scratch memory."""

Steps = tuple[int, int]
"""The first step of a call, and the end."""


# Without "contract": products that PyTorch rounds before it adds them are rounded here too.
@compiled(error_model="numpy")
def train_without_k(  # noqa: PLR0917 - arrays in one tuple would be counted one by one
    points: Points, batch: Batch, network: Network, room: Room, learner: Learner,
    doors: Doors, steps: Steps, is_classification: bool, losses: Floats,
) -> None:  # fmt: skip
    """Train some steps of an epoch by the task loss alone.

    Args:
        points: see `Points`.
        batch: see `Batch`; its length is the batch size.
        network: as `dense_kernels.forward` takes it; its flat array is the learner's.
        room: as `dense_kernels.forward` takes it.
        learner: the network's; changed.
        doors: see `Doors`.
        steps: see `Steps`.
        is_classification: whether the loss is the cross-entropy rather than the squared error.
        losses: (all steps, 2), written: each step's task loss.
    """
    for step in range(steps[0], steps[1]):
        losses[step, 0] = task_gradient(
            points, batch, network, room, learner[1], doors, step, is_classification
        )
        update(*learner)


@compiled(error_model="numpy")
def train_with_coordinate_k(  # noqa: PLR0917 - as above
    points: Points, batch: Batch, network: Network, room: Room, learner: Learner,
    doors: Doors, steps: Steps, is_classification: bool, losses: Floats,
    predictor: Learner, k: CoordinateK, sum_doors: tuple[int], weight: float,
) -> None:  # fmt: skip
    """Train some steps of an epoch by the task loss and K of a coordinate predictor.

    Args:
        points: as `train_without_k`, like all arguments up to ``losses``.
        losses: each step's task loss and K.
        predictor: its learner; changed.
        k: see `CoordinateK`.
        sum_doors: the address of `sum_rows`.
        weight: lambda.
    """
    for step in range(steps[0], steps[1]):
        losses[step, 0] = task_gradient(
            points, batch, network, room, learner[1], doors, step, is_classification
        )
        losses[step, 1] = _add_coordinate_k(learner, predictor, sum_doors[0], k, weight)
        update(*learner)
        update(*predictor)


@inlined
def task_gradient(  # noqa: PLR0917 - as above
    points: Points, batch: Batch, network: Network, room: Room, gradient: Floats,
    doors: Doors, step: int, is_classification: bool,
) -> float:  # fmt: skip
    """Write the gradient of a step's task loss; return the loss."""
    order, all_points, all_values = points
    inputs, values, outputs, slopes = batch
    first = step * inputs.shape[0]
    size = min(inputs.shape[0], order.shape[0] - first)
    for row in range(size):
        number = order[first + row]
        for column in range(inputs.shape[1]):
            inputs[row, column] = all_points[number, column]
        for column in range(values.shape[1]):
            values[row, column] = all_values[number, column]
    call_for_nothing(doors[0], (inputs[:size], network, room, outputs[:size]))
    if is_classification:
        loss = _cross_entropy(outputs, values, slopes, size)
    else:
        loss = _mean_square(outputs, values, slopes, size)
    gradient[:] = np.float32(0)
    call_for_nothing(doors[1], (inputs[:size], network, room, slopes[:size], gradient))
    return loss


@inlined
def _mean_square(outputs: Floats, values: Floats, slopes: Floats, size: int) -> float:
    """Write the gradient of the mean squared error by the outputs; return the error."""
    count = size * outputs.shape[1]
    factor, total = np.float32(2 / count), 0.0
    for row in range(size):
        for column in range(outputs.shape[1]):
            off = outputs[row, column] - values[row, column]
            slopes[row, column] = factor * off
            total += np.float64(off * off)
    mean: float = total / count
    return mean


@inlined
def _cross_entropy(outputs: Floats, values: Floats, slopes: Floats, size: int) -> float:
    """Write the gradient of the mean cross-entropy by the logits; return it, in nats."""
    total = 0.0
    for row in range(size):
        most = outputs[row, 0]
        for column in range(1, outputs.shape[1]):
            most = max(most, outputs[row, column])
        mass = 0.0
        for column in range(outputs.shape[1]):
            mass += math.exp(np.float64(outputs[row, column] - most))
        wanted = int(values[row, 0])
        total += math.log(mass) - np.float64(outputs[row, wanted] - most)
        for column in range(outputs.shape[1]):
            share = math.exp(np.float64(outputs[row, column] - most)) / mass
            share -= 1.0 if column == wanted else 0.0
            slopes[row, column] = np.float32(share / size)
    return total / size


@inlined
def _add_coordinate_k(
    learner: Learner, predictor: Learner, door: int, k: CoordinateK, weight: float
) -> float:
    """Add K's gradient to the network's, write the predictor's; return K in nats per weight."""
    flat, gradient = learner[0], learner[1]
    positions, widths, targets, parts, index, slopes, by_layers, grid, scratch = k
    least, width, largest = np.float32(grid[0]), np.float32(grid[1]), np.float32(grid[2])
    for i in range(flat.shape[0]):
        place = (flat[i] - least) / width
        # NaN passes both comparisons, as it must.
        place = largest if place > largest else place
        index[i] = -largest if place < -largest else place
    by_layers[:] = 0.0
    nats = 0.0
    for part in range(parts.shape[0]):
        rows = (parts[part, 0], parts[part, 1])
        weights, own = (index, positions), (predictor[0], widths)
        gradients = (slopes, by_layers[part])
        nats += call_for_number(door, (weights, own, targets, rows, gradients, scratch))
    scale = np.float32(weight) * np.float32(grid[3])
    for i in range(flat.shape[0]):
        gradient[i] += slopes[i] / width * scale
    by_own = predictor[1]
    for i in range(by_own.shape[0]):
        total = 0.0
        for part in range(parts.shape[0]):
            total += by_layers[part, i]
        by_own[i] = np.float32(total) * scale
    mean: float = nats * grid[3]
    return mean

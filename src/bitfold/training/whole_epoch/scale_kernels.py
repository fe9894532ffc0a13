"""The steps of an epoch with K by scales and linear targets, in one compiled call.

Importing this module imports Numba.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined
from bitfold.runtime.loop_cache.addresses import call_for_number
from bitfold.training.whole_epoch.epoch_kernels import (
    Batch,
    Doors,
    Learner,
    Network,
    Points,
    Room,
    Steps,
    task_gradient,
)
from bitfold.training.whole_epoch.optimizers.kernels import update

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

ScaleK = tuple[
    Ints,
    tuple[Doubles, Doubles, float, bool],
    tuple[Floats, Floats, Floats, Floats],
    Doubles,
    tuple[Floats, Floats],
]
"""Boxes, model, weights and gradient as `sum_stretch` takes them, the factors being room; and of a
learned range the reference and the sizes of tensors (tensors,), or (0,) for a fixed range."""


# As in `epoch_kernels`, without "contract".
@compiled(error_model="numpy")
def train_with_scale_k(  # noqa: PLR0917 - arrays in one tuple would be counted one by one
    points: Points, batch: Batch, network: Network, room: Room, learner: Learner,
    doors: Doors, steps: Steps, is_classification: bool, losses: Floats,
    predictor: Learner, k: ScaleK, sum_doors: tuple[int], weight: float,
) -> None:  # fmt: skip
    """Train some steps of an epoch by the task loss and K by scales.

    Args:
        points: as `train_without_k`, like all arguments up to ``losses``.
        losses: each step's task loss and K.
        predictor: its learner; the parameters are the logarithms of steps, if they are learned,
            and those of the factors of scales.
        k: see `ScaleK`.
        sum_doors: the address of `sum_stretch`.
        weight: lambda.
    """
    for step in range(steps[0], steps[1]):
        losses[step, 0] = task_gradient(
            points, batch, network, room, learner[1], doors, step, is_classification
        )
        losses[step, 1] = _add_k(learner, predictor, sum_doors[0], k, weight)
        update(*learner)
        update(*predictor)


@inlined
def _add_k(learner: Learner, predictor: Learner, door: int, k: ScaleK, weight: float) -> float:
    """Add K's gradient to the network's, write the predictor's; return K in nats per weight."""
    flat, gradient, own, by_own = learner[0], learner[1], predictor[0], predictor[1]
    boxes, model, weights, by_model, (reference, sizes) = k
    values, _, slopes, grid = weights
    num_tensors, num_weights = boxes.shape[0], flat.shape[0]
    first = reference.shape[0]
    for i in range(own.shape[0] - first):
        model[1][i] = math.exp(np.float64(own[first + i]))
    for number in range(num_tensors):
        unit = _unit(own, number, first)
        for i in range(boxes[number, 0], boxes[number, 0] + boxes[number, 1]):
            # A weight that is infinite gives NaN, as in `LearnedRange.values`.
            values[i] = min(max(flat[i] * unit, -grid[3]), grid[3]) + np.float32(0) * flat[i]
    by_model[:] = 0.0
    nats = call_for_number(door, (weights, (0, num_weights, 0), boxes, model, by_model))
    scale = np.float32(weight) * np.float32(1 / num_weights)
    for number in range(num_tensors):
        unit, moved = _unit(own, number, first), 0.0
        for i in range(boxes[number, 0], boxes[number, 0] + boxes[number, 1]):
            moved += np.float64(slopes[i] * values[i])
            gradient[i] += slopes[i] * unit * scale
        if first > 0:
            precision = _squared_exponential(own[number] - reference[number]) * sizes[number]
            nats += np.float64(precision) / 2
            by_own[number] = (np.float32(-moved) + precision) * scale
    for i in range(own.shape[0] - first):
        by_own[first + i] = np.float32(by_model[num_tensors + i]) * scale
    mean: float = nats * (1 / num_weights)
    return mean


@inlined
def _unit(own: Floats, number: int, first: int) -> np.float32:
    """The factor from a tensor's weights to values: 1 / step; 1 for a fixed range."""
    if first == 0:
        return np.float32(1)
    return np.float32(1) / np.float32(math.exp(np.float64(own[number])))


@inlined
def _squared_exponential(number: np.float32) -> np.float32:
    return np.float32(math.exp(np.float64(np.float32(2) * number)))

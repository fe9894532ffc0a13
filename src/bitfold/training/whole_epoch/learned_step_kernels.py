"""The steps of an epoch with learned quantisation steps, in one compiled call.

Importing this module imports Numba.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined
from bitfold.runtime.loop_cache.addresses import call_for_nothing, call_for_number, call_for_three
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

Table = tuple[Floats, float, float, float]

StepK = tuple[Ints, Table, tuple[float, float], bool, tuple[Floats, Floats, Floats, Doubles]]
"""Boxes (tensors, 8) as `scale_table` makes them; the table of costs; the first and the last bin;
whether targets are rounded; and room: for slopes (P,), factors (F,), scratch of `sum_tensor`, and
the gradient by factors (F,)."""

StepDoors = tuple[int, int, int, int]
"""Addresses of `round_to_steps`, `sum_slopes`, `sum_tensor` and `sum_exactly`."""


# As in `epoch_kernels`, without "contract".
@compiled(error_model="numpy")
def train_with_learned_steps(  # noqa: PLR0917 - arrays in one tuple would be counted one by one
    points: Points, batch: Batch, network: Network, room: Room, learner: Learner,
    doors: Doors, steps: Steps, is_classification: bool, losses: Floats,
    predictor: Learner, k: StepK, step_doors: StepDoors, weight: float,
) -> None:  # fmt: skip
    """Train some steps of an epoch by the task loss of rounded weights and K in learned steps.

    Args:
        points: as `train_without_k`, like all arguments up to ``losses``, except for the network,
            whose flat array is room for the rounded weights.
        losses: each step's task loss and K.
        predictor: its learner; the parameters are the logarithms of steps, those of the tensors'
            scales, and those of lines.
        k: see `StepK`.
        step_doors: see `StepDoors`.
        weight: lambda.
    """
    for step in range(steps[0], steps[1]):
        _round(learner[0], network[0], predictor[0], step_doors[0], k)
        losses[step, 0] = task_gradient(
            points, batch, network, room, learner[1], doors, step, is_classification
        )
        losses[step, 1] = _add_k(learner, network[0], predictor, step_doors, k, weight)
        update(*learner)
        update(*predictor)


@inlined
def _round(flat: Floats, rounded: Floats, own: Floats, door: int, k: StepK) -> None:
    """Write the weights that a decoder gets."""
    boxes, limits = k[0], k[2]
    for number in range(boxes.shape[0]):
        start, stop = boxes[number, 0], boxes[number, 0] + boxes[number, 1]
        step = _as_sent(np.float32(math.exp(own[number])))
        call_for_nothing(door, (flat[start:stop], np.float64(step), limits, rounded[start:stop]))


@inlined
def _as_sent(step: np.float32) -> np.float32:
    """Round to eight significant bits, those of a bfloat16: Veltkamp's splitting, Dekker 1971."""
    wide = np.float64(step)
    shifted = wide * (2.0**45 + 1)
    return np.float32(shifted - (shifted - wide))


@inlined
def _add_k(  # noqa: PLR0917 - as above
    learner: Learner, rounded: Floats, predictor: Learner, doors: StepDoors, k: StepK,
    weight: float,
) -> float:  # fmt: skip
    """Add K's gradient to the network's, write the predictor's; return K in nats per weight."""
    flat, gradient, own, by_own = learner[0], learner[1], predictor[0], predictor[1]
    boxes, table, limits, is_rounded, spare = k
    slopes, factors, scratch, by_factors = spare
    num_tensors, num_factors = boxes.shape[0], factors.shape[0]
    for i in range(num_factors - 1):  # the last one is 0
        factors[i] = own[num_tensors + i]
    by_factors[:] = 0.0
    is_read = _fits_table(flat, own, boxes, limits)
    scale = np.float32(weight) * np.float32(1 / flat.shape[0])
    nats = 0.0
    for number in range(num_tensors):
        start, size = boxes[number, 0], boxes[number, 1]
        slower = _lines(
            boxes[number, 4], size // (boxes[number, 2] * boxes[number, 3]), num_factors
        )
        faster = _lines(boxes[number, 6], boxes[number, 2], num_factors)
        lines = (np.float64(factors[number]), factors[slower], factors[faster], boxes[number, 3])
        by_lines = (by_factors[slower], by_factors[faster])
        some, part = flat[start : start + size], slopes[start : start + size]
        unit = 1 / np.float64(np.float32(math.exp(own[number])))
        if is_read:
            found = call_for_three(
                doors[2], (some, unit, lines, table, is_rounded, part, by_lines, scratch)
            )
        else:
            found = call_for_three(
                doors[3], (some, unit, lines, table[3], limits, is_rounded, part, by_lines)
            )
        nats += found[0]
        by_factors[number] += found[1]
        off = call_for_number(
            doors[1], (some, rounded[start : start + size], gradient[start : start + size])
        )
        by_own[number] = np.float32(off) + np.float32(-found[2]) * scale
    for i in range(flat.shape[0]):
        gradient[i] += slopes[i] * scale
    for i in range(num_factors - 1):
        by_own[num_tensors + i] = np.float32(by_factors[i]) * scale
    mean: float = nats * (1 / flat.shape[0])
    return mean


@inlined
def _lines(first: int, count: int, num_factors: int) -> slice:
    """The factors of a tensor's lines; of a tensor without lines the last one, which is 0."""
    start = first if first >= 0 else num_factors - 1
    return slice(start, start + count)


@inlined
def _fits_table(flat: Floats, own: Floats, boxes: Ints, limits: tuple[float, float]) -> bool:
    """Whether all weights lie a bin or more from the ends of the grid; see `can_read_table`."""
    least = min(-limits[0], limits[1]) - 1
    for number in range(boxes.shape[0]):
        most = least * np.float64(np.float32(math.exp(own[number])))
        for i in range(boxes[number, 0], boxes[number, 0] + boxes[number, 1]):
            if not abs(flat[i]) <= most:  # NaN fails this comparison
                return False
    return True

"""Steps of optimisers over parameters that lie in one flat array. Importing this imports Numba.

Each follows the formulas of PyTorch's optimiser of that name, in float32; products and sums may be
rounded once where PyTorch rounds twice. Muon's loop is longer than all others together, so it is
called by address, and compiled for runs with Muon alone.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined
from bitfold.runtime.loop_cache.addresses import call_for_nothing

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

Matrices = tuple[int, Doubles, Ints, Floats, Floats]
"""The address of `muon_kernels.step_muon`, and its last arguments; empty arrays for other kinds."""

ADAM, ADAMW, SGD, RMSPROP, MUON = range(5)
"""Numbers of the kinds of optimisers."""

KIND, RATE, DECAY, BETA1, BETA2, EPSILON, MOMENTUM, AMSGRAD, CLIP, ACTIVE = range(10)
"""Places in an optimiser's settings: float64 (10,). A ``CLIP`` of 0 clips nothing; a learner whose
``ACTIVE`` is 0 stays as it is."""

NUM_SETTINGS = 10

_FAST = {"contract"}
# PyTorch adds this to the norm before it divides by it.
_NORM_EPSILON = 1e-6


@compiled(error_model="numpy", fastmath=_FAST)
def update(  # noqa: PLR0917 - arrays in one tuple would be counted one by one
    flat: Floats, gradient: Floats, moments: Floats, count: Doubles, settings: Doubles,
    matrices: Matrices,
) -> None:  # fmt: skip
    """Clip the gradient and step the parameters.

    Args:
        flat: parameters (P,), changed.
        gradient: (P,), clipped in place.
        moments: the optimiser's state (rows, P), changed; see `optimizer_state`.
        count: number of steps so far (1,), changed.
        settings: see `KIND`.
        matrices: see `Matrices`.
    """
    if settings[ACTIVE] == 0:
        return
    if settings[CLIP] > 0:
        _clip(gradient, settings[CLIP])
    count[0] += 1
    if settings[KIND] <= ADAMW:
        step_adam(flat, gradient, moments, count[0], settings)
    elif settings[KIND] == SGD:
        _step_sgd(flat, gradient, moments, settings)
    elif settings[KIND] == RMSPROP:
        _step_rmsprop(flat, gradient, moments, settings)
    else:
        state = (flat, gradient, moments, count, settings)
        call_for_nothing(matrices[0], state + matrices[1:])


@inlined
def _clip(gradient: Floats, norm: float) -> None:
    """Scale the gradient down to a norm."""
    total = 0.0
    for i in range(gradient.shape[0]):
        total += np.float64(gradient[i]) * np.float64(gradient[i])
    # NaN fails the comparison, and spreads as in PyTorch.
    share = norm / (math.sqrt(total) + _NORM_EPSILON)
    if not share >= 1:
        factor = np.float32(share)
        for i in range(gradient.shape[0]):
            gradient[i] *= factor


@inlined
def step_adam(
    flat: Floats, gradient: Floats, moments: Floats, count: float, settings: Doubles
) -> None:
    """Step by Adam, or by AdamW for every other kind; ``count`` includes this step."""
    rate, decay = settings[RATE], np.float32(settings[DECAY])
    beta1, beta2 = settings[BETA1], settings[BETA2]
    size = np.float32(rate / (1 - math.pow(beta1, count)))
    root = np.float32(math.sqrt(1 - math.pow(beta2, count)))
    near, far = np.float32(1 - beta1), np.float32(beta2)
    new, epsilon = np.float32(1 - beta2), np.float32(settings[EPSILON])
    shrink = np.float32(1) if settings[KIND] == ADAM else np.float32(1 - rate * settings[DECAY])
    pull = decay if settings[KIND] == ADAM else np.float32(0)
    largest = moments.shape[0] - 1 if settings[AMSGRAD] > 0 else 0
    first, second, most = moments[0], moments[1], moments[largest]
    for i in range(flat.shape[0]):
        old = flat[i]
        slope = gradient[i] + pull * old
        mean = first[i] + near * (slope - first[i])
        square = second[i] * far + new * slope * slope
        first[i], second[i] = mean, square
        if largest > 0:
            square = max(most[i], square)
            most[i] = square
        flat[i] = old * shrink - size * mean / (np.sqrt(square) / root + epsilon)


@inlined
def _step_sgd(flat: Floats, gradient: Floats, moments: Floats, settings: Doubles) -> None:
    rate, decay = np.float32(settings[RATE]), np.float32(settings[DECAY])
    momentum = np.float32(settings[MOMENTUM])
    for i in range(flat.shape[0]):
        slope = gradient[i] + decay * flat[i]
        if momentum != 0:
            slope = momentum * moments[0, i] + slope
            moments[0, i] = slope
        flat[i] -= rate * slope


@inlined
def _step_rmsprop(flat: Floats, gradient: Floats, moments: Floats, settings: Doubles) -> None:
    rate, decay = np.float32(settings[RATE]), np.float32(settings[DECAY])
    alpha, new = np.float32(settings[BETA1]), np.float32(1 - settings[BETA1])
    epsilon, momentum = np.float32(settings[EPSILON]), np.float32(settings[MOMENTUM])
    for i in range(flat.shape[0]):
        slope = gradient[i] + decay * flat[i]
        square = alpha * moments[0, i] + new * slope * slope
        moments[0, i] = square
        change = slope / (np.sqrt(square) + epsilon)
        if momentum != 0:
            change = momentum * moments[1, i] + change
            moments[1, i] = change
        flat[i] -= rate * change

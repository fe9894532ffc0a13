"""A whole epoch of training in one compiled call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.predictors.coordinate import CoordinatePredictor
from bitfold.networks import PolytopeNet, TriangleWaves
from bitfold.networks.dense import DenseRoom, chain_of, has_any_hooks
from bitfold.training.whole_epoch.coordinate_sum import CoordinateSum
from bitfold.training.whole_epoch.epoch_sum import EpochSum
from bitfold.training.whole_epoch.learned_step_sum import LearnedStepSum
from bitfold.training.whole_epoch.optimizers.flat_learner import FlatLearner
from bitfold.training.whole_epoch.scale_sum import ScaleSum

# Steps between two looks at a request to stop, where someone may ask for one.
_PATIENT_STEPS = 64


class EpochLoop:
    """Trains epochs by compiled calls that hold no interpreter's lock and allocate no arrays.

    Batches, forward and backward pass, K, and the steps of both optimisers happen inside. The
    parameters, the optimisers' states and the network stay PyTorch's: the loops change them in
    place. Passes and sums of K are the machine code that single steps use.

    Args:
        network: at most as wide as the loops take; see `support.why_stepwise`.
        points: training points, float32 (N, inputs) on the CPU.
        values: their values, float32 (N, channels), or their classes, int64 (N,).
        batch_size: points in a step.
        optimizers: of the network; see `FlatLearner`.
        kolmogorov: K with a coordinate predictor over a fixed range, or None.
        predictor_optimizer: of K's parameters, or None.
        clip_norm: of the network's gradient, or None.

    Guarantees: from the same state an epoch gives the same bits, on the same machine, with the same
    versions, for any number of threads.
    """

    def __init__(  # noqa: PLR0917 - a learner has all of these
        self,
        network: PolytopeNet,
        points: Tensor,
        values: Tensor,
        batch_size: int,
        optimizers: Sequence[Optimizer],
        kolmogorov: KolmogorovLoss | None = None,
        predictor_optimizer: Optimizer | None = None,
        clip_norm: float | None = None,
    ) -> None:
        loops = chain_of(network)
        self._has_curves, self._clip_norm = loops.has_curves, clip_norm
        self._modules = tuple(network.modules())
        self._is_classification = not values.is_floating_point()
        encoded = _encoded(network, points)
        as_numbers = values.float().reshape(len(values), -1)
        self._points = _array(encoded), _array(as_numbers)
        size = min(batch_size, len(points))
        self._batch = tuple(
            torch.zeros(size, width, device="cpu").numpy()
            for width in (encoded.shape[1], as_numbers.shape[1], *[network.out_features] * 2)
        )
        self._room: DenseRoom = loops.room(size)
        self._layout = loops.layout
        self._num_steps = -(-len(points) // size)
        self._losses = np.zeros((self._num_steps, 2), np.float32)
        self._learner = FlatLearner(list(network.parameters()), optimizers)
        self._predictor: FlatLearner | None = None
        self._sum: EpochSum | None = None
        if kolmogorov is not None and predictor_optimizer is not None:
            self._predictor = FlatLearner(list(kolmogorov.parameters()), [predictor_optimizer])
            self._sum = _sum_of(kolmogorov)
        self._doors: tuple[Any, ...] = ()

    def can_run(self) -> bool:
        """Whether nothing looks into the passes: no module of the network has a hook."""
        return not has_any_hooks(self._modules)

    def run(
        self, order: Tensor, weight: float, should_stop: Callable[[], bool] | None = None
    ) -> Tensor | None:
        """Train one epoch.

        Args:
            order: int64 (N,), the points in the order of the epoch.
            weight: lambda.
            should_stop: asked now and then; if it returns True, the epoch is given up.

        Returns:
            Each step's task loss, and K in nats per weight, float32 (steps, 1 or 2); None if the
            epoch was given up.
        """
        arrays = self._arrays()
        if self._sum is not None:
            self._sum.refresh()
        if not self._doors:
            self._open_doors(*arrays)
        loop, addresses = self._loop(), tuple(door.number for door in self._doors)
        stride = self._num_steps if should_stop is None else _PATIENT_STEPS
        for first in range(0, self._num_steps, stride):
            if should_stop is not None and should_stop():
                self._finish()
                return None
            steps = (first, min(first + stride, self._num_steps))
            loop(*self._given(order.numpy(), arrays, addresses, steps, weight))
        self._finish()
        num_losses = 1 if self._sum is None else 2
        return torch.from_numpy(self._losses[:, :num_losses].copy())

    def compile_ahead(self) -> None:
        """Compile the loop of an epoch, without the passes and sums that it calls by address."""
        from numba import typeof  # noqa: PLC0415 - Numba is slow

        num_doors = 2 if self._sum is None else 2 + self._sum.NUM_DOORS
        order = np.zeros(len(self._points[0]), np.int64)
        given = self._given(order, self._arrays(), (0,) * num_doors, (0, 0), 0.0)
        self._loop().compile(tuple(map(typeof, given)))

    def _loop(self) -> Any:
        if self._sum is not None:
            return self._sum.loop()
        from bitfold.training.whole_epoch.epoch_kernels import (  # noqa: PLC0415 - Numba is slow
            train_without_k,
        )

        return train_without_k

    def _arrays(self) -> tuple[Any, Any, Any]:
        """Return the network, its learner and the predictor's as the loops take them."""
        learner = self._learner.arrays(self._clip_norm)
        predictor = None if self._predictor is None else self._predictor.arrays()
        computing = learner[0] if self._sum is None else self._sum.computing(learner[0])
        return (computing, *self._layout), learner, predictor

    def _given(
        self,
        order: NDArray[np.int64],
        arrays: tuple[Any, Any, Any],
        addresses: tuple[int, ...],
        steps: tuple[int, int],
        weight: float,
    ) -> tuple[Any, ...]:
        """Return the arguments of the loop."""
        network, learner, predictor = arrays
        given: tuple[Any, ...] = (
            (order, *self._points), self._batch, network, self._room, learner, addresses[:2], steps,
            self._is_classification, self._losses,
        )  # fmt: skip
        if self._sum is None:
            return given
        return (*given, predictor, self._sum.arrays, addresses[2:], weight)

    def _open_doors(self, network: Any, learner: Any, predictor: Any) -> None:
        from bitfold.networks.dense_kernels import backward, forward  # noqa: PLC0415 - Numba is slow
        from bitfold.runtime.loop_cache.addresses import LoopAddress  # noqa: PLC0415 - as above

        passes: tuple[Any, Any] = forward, backward
        if self._has_curves:
            from bitfold.networks.curve_passes import (  # noqa: PLC0415 - as above
                backward_curves,
                forward_curves,
            )

            passes = forward_curves, backward_curves
        inputs, _, outputs, slopes = self._batch
        doors = [
            LoopAddress(passes[0], inputs, network, self._room, outputs),
            LoopAddress(passes[1], inputs, network, self._room, slopes, learner[1]),
        ]
        if self._sum is not None:
            doors += self._sum.doors(learner[0], predictor[0])
        self._doors = tuple(doors)

    def _finish(self) -> None:
        self._learner.finish()
        if self._predictor is not None:
            self._predictor.finish()


def _sum_of(kolmogorov: KolmogorovLoss) -> EpochSum:
    if kolmogorov.quantise is not None:
        return LearnedStepSum(kolmogorov)
    is_coordinate = isinstance(kolmogorov.predictor, CoordinatePredictor)
    return CoordinateSum(kolmogorov) if is_coordinate else ScaleSum(kolmogorov)


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().contiguous().numpy()
    return array


@torch.no_grad()
def _encoded(network: PolytopeNet, points: Tensor) -> Tensor:
    """The points as the first layer with weights gets them."""
    first = network.layers[0]
    waves: Tensor = first(points) if type(first) is TriangleWaves else points
    return waves

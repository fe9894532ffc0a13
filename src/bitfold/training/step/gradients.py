"""The gradients of a training step: of the task loss, and of K."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.predictors.coordinate import CoordinatePredictor, has_kernels
from bitfold.runtime.threads import beside

# With fewer weights, K takes less than a helper thread takes to begin.
_LEAST_WEIGHTS = 2**12


def add_gradients(
    task_loss: Callable[[], Tensor],
    kolmogorov: KolmogorovLoss | None,
    weight: float,
    *,
    is_beside: bool = False,
) -> list[Tensor]:
    """Add the gradients of task loss + lambda K to those of all parameters.

    Args:
        task_loss: computes it, with its graph.
        kolmogorov: computes K; None: there is none.
        weight: lambda.
        is_beside: whether a helper thread computes K meanwhile; see `can_go_beside`. The gradients
            are the same, bit for bit.

    Returns:
        [task loss] or [task loss, K], without a graph, still on the device.
    """
    if kolmogorov is None:
        return [_with_gradients(task_loss()).detach()]
    if is_beside:
        task, k = beside(lambda: _with_gradients(task_loss()), kolmogorov)
        _with_gradients(weight * k)
    else:
        task, k = task_loss(), kolmogorov()
        _with_gradients(task + weight * k)
    return [task.detach(), k.detach()]


def can_go_beside(kolmogorov: KolmogorovLoss | None, *, is_quantised: bool) -> bool:
    """Whether a helper thread may compute K during the passes of the task, and gains time by it.

    Compiled loops of a coordinate predictor take as long as these passes, and leave the interpreter
    to others. Where the task computes with decoded weights, the module holds others meanwhile.

    Args:
        kolmogorov: of the network; None: there is none.
        is_quantised: whether the task computes with decoded weights.
    """
    if kolmogorov is None or is_quantised or kolmogorov.num_weights < _LEAST_WEIGHTS:
        return False
    predictor = kolmogorov.predictor
    has_loops = isinstance(predictor, CoordinatePredictor) and predictor.kind == "cross_entropy"
    return has_loops and has_kernels(kolmogorov.like)


def _with_gradients(loss: Tensor) -> Tensor:
    loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    return loss

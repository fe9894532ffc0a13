"""Dense layers by PyTorch's operations, in memory that is kept from step to step."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

# Values of more bytes than this are left to PyTorch.
_MOST_BYTES: Final = 2**26
# Views of a room that are remembered: a few sizes of batches for each layer.
_MOST_VIEWS: Final = 256
# One for a training's steps, and one for a pass beside them.
_MOST_ROOMS: Final = 2
_ATEN: Final = torch.ops.aten


class KeptLayers:
    """Evaluates dense layers with the operations that PyTorch takes, and so to the same bits.

    The system hands new memory out page by page, which takes about as long as to compute the
    values of a layer of 100 neurons. Here the values of hidden layers, and their gradients, lie in
    memory that is taken again as soon as the node of the graph is gone: a loss that is kept after
    its backward pass keeps its values, too.

    Args:
        slopes: of each layer's activation for sums up to 0: 0 for relu, 1 for none.

    Guarantees: outputs and gradients have the bits of a module of linear layers and activations.
    Gradients cannot be differentiated again; PyTorch then raises RuntimeError.

    >>> weight, bias = torch.eye(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    >>> layers = KeptLayers([0.0, 1.0])
    >>> layers(torch.tensor([[-1.0, 2.0]]), [weight, bias, weight, bias]).tolist()
    [[0.0, 2.0]]
    """

    def __init__(self, slopes: Sequence[float]) -> None:
        self._slopes = tuple(slopes)
        self._free: list[_Room] = []

    def fit(self, points: Tensor, parameters: Sequence[Tensor]) -> bool:
        """Whether the layers' values are few enough to be kept."""
        num_values = sum(len(bias) for bias in parameters[1::2])
        return 4 * len(points) * num_values <= _MOST_BYTES

    def __call__(self, points: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        """Return the outputs (N, outputs) of points (N, inputs).

        Args:
            points: float32 on the CPU.
            parameters: weight (outputs, inputs) and bias (outputs,) of each layer in turn.
        """
        lease = _Lease(self._free)
        if not torch.is_grad_enabled():
            return _outputs(lease.room, self._slopes, points, parameters)
        # PyTorch leaves Function.apply without types.
        apply: Callable[..., Tensor] = _KeptPass.apply
        return apply(lease, self._slopes, points, *parameters)


class _Room:
    """Memory for one pass through all layers."""

    def __init__(self) -> None:
        self._kept: dict[int, Tensor] = {}
        self._views: dict[tuple[int, int, int], Tensor] = {}

    def values(self, place: int, num_points: int, width: int) -> Tensor:
        """Return memory (num_points, width) for a hidden layer's values."""
        key = place, num_points, width
        found = self._views.get(key)
        if found is None:
            if len(self._views) >= _MOST_VIEWS:
                self._views.clear()
            found = self._views[key] = self._made(place, num_points, width)
        return found

    def _made(self, place: int, num_points: int, width: int) -> Tensor:
        size = num_points * width
        kept = self._kept.get(place)
        with torch.inference_mode(mode=False):
            if kept is None or kept.numel() < size:
                kept = self._kept[place] = torch.empty(size, dtype=torch.float32, device="cpu")
                self._views = {key: one for key, one in self._views.items() if key[0] != place}
            return kept[:size].view(num_points, width)


class _Lease:
    """A room that goes back to its owner when nothing refers to the lease any more."""

    def __init__(self, free: list[_Room]) -> None:
        self._free = free
        try:
            self.room = free.pop()
        except IndexError:
            self.room = _Room()

    def __del__(self) -> None:
        if len(self._free) < _MOST_ROOMS:
            self._free.append(self.room)


def _outputs(
    room: _Room, slopes: Sequence[float], points: Tensor, parameters: Sequence[Tensor]
) -> Tensor:
    values, last = points, len(slopes) - 1
    for place, slope in enumerate(slopes):
        weight, bias = parameters[2 * place : 2 * place + 2]
        if place == last:
            values = functional.linear(values, weight, bias)
        else:
            out = room.values(place, len(points), len(bias))
            values = torch.addmm(bias, values, weight.t(), out=out)
        if slope == 0:
            torch.relu_(values)
        elif slope != 1:
            functional.leaky_relu_(values, slope)
    return values


class _KeptPass(torch.autograd.Function):
    """All layers as one node of the graph; parameters are inputs so that they get gradients."""

    @staticmethod
    def forward(
        ctx: Any, lease: _Lease, slopes: Sequence[float], points: Tensor, *parameters: Tensor
    ) -> Tensor:
        outputs = _outputs(lease.room, slopes, points, parameters)
        ctx.lease, ctx.slopes = lease, slopes
        needed = () if slopes[-1] == 1 else (outputs,)
        ctx.save_for_backward(points, *parameters[::2], *needed)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        slopes, is_needed = ctx.slopes, ctx.needs_input_grad
        points, *saved = ctx.saved_tensors
        weights, room, number = saved[: len(slopes)], ctx.lease.room, len(points)
        values = [points]
        values += [room.values(p, number, len(w)) for p, w in enumerate(weights[:-1])]
        if slopes[-1] != 1:
            gradient = _through(gradient, saved[-1], slopes[-1], torch.empty_like(saved[-1]))
        gradients: list[Tensor | None] = []
        for place in range(len(weights) - 1, -1, -1):
            of_weight, of_bias = is_needed[3 + 2 * place : 5 + 2 * place]
            gradients.append(gradient.sum(0) if of_bias else None)
            gradients.append(gradient.t().mm(values[place]) if of_weight else None)
            if place:
                out = room.values(-1 - place % 2, number, weights[place].shape[1])
                gradient = torch.mm(gradient, weights[place], out=out)
                gradient = _through(gradient, values[place], slopes[place - 1], gradient)
        of_points = gradient.mm(weights[0]) if is_needed[2] else None
        return (None, None, of_points, *reversed(gradients))


def _through(gradient: Tensor, values: Tensor, slope: float, out: Tensor) -> Tensor:
    """The gradient of an activation's inputs, by its outputs; ``out`` may be ``gradient``."""
    if slope == 0:
        found: Tensor = _ATEN.threshold_backward.grad_input(gradient, values, 0, grad_input=out)
    elif slope != 1:
        found = _ATEN.leaky_relu_backward.grad_input(gradient, values, slope, True, grad_input=out)
    else:
        found = gradient
    return found

"""Fast training of dense networks: all layers as one node of the autograd graph."""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.module import _has_any_global_hook

from bitfold.networks.activations import ACTIVATION_CODES
from bitfold.networks.kept_layers import KeptLayers
from bitfold.networks.polytope_net import PolytopeNet
from bitfold.runtime.memory.parameter_memory import FlatMemory, is_plain

# Measured limits within which the loops are faster than PyTorch: the width of the widest layer, and
# the width up to which they are faster even for a few points that do not fill a tile.
MAX_COMPILED_WIDTH: Final = 48
_NARROW_WIDTH: Final = 16
_FEW_POINTS: Final = 128
# With more multiplications than this in a pass, several PyTorch threads may beat our one.
_ONE_THREAD_WORK: Final = 1e7

_Floats = NDArray[np.float32]

DenseRoom = tuple[_Floats, _Floats]
"""The memory that the passes use; see `dense_kernels.forward`."""


class CompiledNet:
    """Evaluates a network in the fastest way, with the network's own parameters.

    A call returns the network's outputs to within float32's rounding, and autograd works as usual,
    but not twice. Both faster ways are for relu and leaky_relu in float32 on the CPU, after any
    encoding. Compiled loops evaluate narrow networks, up to a width of 48, or 16 for fewer than 128
    points: they take a tile of points through all layers; waves count as the first width, and
    grids have no loops. `KeptLayers` evaluates what the loops do not. The network itself evaluates
    everything else, also if it has hooks, under autocast, or if the points need a gradient.

    Args:
        network: its parameters are read at every call; its layers must not be replaced.

    Guarantees: the loops run in one thread and in a fixed order, so that equal calls give equal
    bits for any number of threads.

    >>> network = PolytopeNet(2, "[10]*8", 1, generator=torch.Generator().manual_seed(0))
    >>> points = torch.rand(5, 2)
    >>> torch.allclose(CompiledNet(network)(points), network(points), atol=1e-6)
    True
    """

    def __init__(self, network: PolytopeNet) -> None:
        self._network = network
        self._modules = tuple(network.modules())
        self._linears = [module for module in network.layers if isinstance(module, nn.Linear)]
        slopes = slopes_of(network)
        self._layers = None if slopes is None else KeptLayers(slopes)
        self._loops = loops_for(network)
        self._encode = None if network.encoding.is_none else network.layers[0]
        self._memory = FlatMemory([])

    def __call__(self, points: Tensor) -> Tensor:
        """Evaluate the network at points (N, in_features); returns (N, out_features)."""
        parameters = [p for layer in self._linears for p in (layer.weight, layer.bias)]
        if not self._memory.is_that_of(parameters):
            self._memory = FlatMemory(parameters)
        if self._can_run(points):
            if self._loops is not None and self._loops.pay(len(points)):
                return self._by_loops(self._loops, self._encoded(points), parameters)
            if self._layers is not None and self._layers.fit(points, parameters):
                return self._layers(self._encoded(points), parameters)
        outputs: Tensor = self._network(points)
        return outputs

    def _encoded(self, points: Tensor) -> Tensor:
        if self._encode is None:
            return points
        encoded: Tensor = self._encode(points)
        return encoded

    def _by_loops(
        self, loops: "DenseLoops", points: Tensor, parameters: Sequence[Tensor]
    ) -> Tensor:
        if not torch.is_grad_enabled():
            return loops.outputs(self._memory.flat(), points, keep=False)[0]
        # PyTorch leaves Function.apply without types.
        apply: Callable[..., Tensor] = _CompiledPass.apply
        return apply(loops, self._memory.flat(), points, *parameters)

    def _can_run(self, points: Tensor) -> bool:
        return (
            points.ndim == 2
            and points.shape[1] == self._network.in_features
            and not points.requires_grad
            and is_plain(points)
            and self._memory.views is not None
            and not torch.is_autocast_enabled("cpu")
            and not has_any_hooks(self._modules)
        )


class _CompiledPass(torch.autograd.Function):
    """All layers as one node of the graph; parameters are inputs so that they get gradients."""

    @staticmethod
    def forward(
        ctx: Any, loops: "DenseLoops", flat: _Floats, points: Tensor, *parameters: Tensor
    ) -> Tensor:
        outputs, ctx.activations = loops.outputs(flat, points, keep=True)
        ctx.loops, ctx.flat = loops, flat
        ctx.save_for_backward(points)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (points,) = ctx.saved_tensors
        gradients = ctx.loops.gradients(ctx.flat, points, ctx.activations, grad_outputs)
        return (None, None, None, *gradients)


class DenseLoops:
    """The compiled passes for networks of one shape.

    Args:
        widths: of the points and of each layer.
        slopes: slope of each layer's activation for sums up to 0; above 0 the slope is 1. Codes of
            curves are for the whole epoch alone; see `ACTIVATION_CODES`.

    Attributes:
        layout: both as arrays, as the passes take them.
    """

    def __init__(self, widths: list[int], slopes: list[float]) -> None:
        self.layout = np.array(widths), np.array(slopes, np.float32)
        self._num_outputs, self._num_rows, self._widest = widths[-1], sum(widths[1:]), max(widths)
        self._shapes = [s for i, o in pairwise(widths) for s in ((o, i), (o,))]
        bounds = accumulate((int(np.prod(shape)) for shape in self._shapes), initial=0)
        self._slices = [slice(start, stop) for start, stop in pairwise(bounds)]

    @property
    def has_curves(self) -> bool:
        """Whether an activation is neither relu nor leaky_relu."""
        return bool((self.layout[1] > 1).any())

    @property
    def num_parameters(self) -> int:
        """The number of weights and biases."""
        return self._slices[-1].stop

    def pay(self, num_points: int, num_threads: int | None = None) -> bool:
        """Whether the loops are faster than PyTorch for ``num_points`` points.

        Args:
            num_points: of a pass.
            num_threads: of PyTorch; None: as many as it has now.
        """
        is_large = num_points * self._slices[-1].stop > _ONE_THREAD_WORK
        if is_large and (num_threads or torch.get_num_threads()) > 1:
            return False
        return num_points >= _FEW_POINTS or self._widest <= _NARROW_WIDTH

    def room(self, num_points: int) -> DenseRoom:
        """Return memory for both passes over up to ``num_points`` points."""
        from bitfold.networks.dense_kernels import TILE  # noqa: PLC0415 - Numba is slow to import

        num_tiles = -(-num_points // TILE)
        return _buffer(num_tiles, self._num_rows, TILE), _buffer(3, self._widest, TILE)

    def outputs(self, flat: _Floats, points: Tensor, *, keep: bool) -> tuple[Tensor, _Floats]:
        """Return outputs (N, out_features) and, if ``keep``, the activations for `gradients`."""
        from bitfold.networks.dense_kernels import TILE, forward  # noqa: PLC0415 - Numba is slow

        num_tiles = -(-len(points) // TILE) if keep else 1
        outputs = points.new_empty(len(points), self._num_outputs)
        kept, scratch = _buffer(num_tiles, self._num_rows, TILE), _buffer(3, self._widest, TILE)
        forward(_array(points), (flat, *self.layout), (kept, scratch), outputs.numpy())
        return outputs, kept

    def gradients(
        self, flat: _Floats, points: Tensor, activations: _Floats, grad_outputs: Tensor
    ) -> list[Tensor]:
        """Return the gradients of weights and biases, layer by layer."""
        from bitfold.networks.dense_kernels import TILE, backward  # noqa: PLC0415 - to import

        found, scratch = np.zeros_like(flat), _buffer(3, self._widest, TILE)
        network, room = (flat, *self.layout), (activations, scratch)
        backward(_array(points), network, room, _array(grad_outputs), found)
        parts = zip(self._slices, self._shapes, strict=True)
        return [torch.from_numpy(found[part].reshape(shape)) for part, shape in parts]


def loops_for(network: PolytopeNet) -> DenseLoops | None:
    """Return the loops for a network, or None if they cannot evaluate it."""
    slopes = slopes_of(network)
    widths = [network.num_encoded, *network.widths, network.out_features]
    if slopes is None or max(widths) > MAX_COMPILED_WIDTH or network.encoding.num_levels:
        return None
    return DenseLoops(widths, slopes)


def slopes_of(network: PolytopeNet) -> list[float] | None:
    """Return the slope of each layer's activation for sums up to 0, or None where one is curved."""
    slopes: list[float] = []
    for module in list(network.layers)[0 if network.encoding.is_none else 1 :]:
        if type(module) is nn.Linear:
            slopes.append(1.0)
        elif type(module) is nn.LeakyReLU:
            slopes[-1] = module.negative_slope
        elif type(module) is nn.ReLU:
            slopes[-1] = 0.0
        else:
            return None
    return slopes


def chain_of(network: PolytopeNet) -> DenseLoops:
    """Return the loops for a network with any activation; `curve_passes` has those of curves."""
    codes = [ACTIVATION_CODES[network.activation]] * len(network.widths)
    last = ACTIVATION_CODES[network.final_activation]
    widths = [network.num_encoded, *network.widths, network.out_features]
    return DenseLoops(widths, [*codes, last])


def _buffer(*shape: int) -> _Floats:
    # PyTorch aligns memory to 64 bytes, which makes the rows of a tile faster.
    buffer: _Floats = torch.empty(shape, dtype=torch.float32, device="cpu").numpy()
    return buffer


def _array(tensor: Tensor) -> _Floats:
    array: _Floats = tensor.contiguous().numpy()
    return array


def has_any_hooks(modules: Sequence[nn.Module]) -> bool:
    """Whether someone looks into the passes of some modules, or into those of all modules."""
    # PyTorch leaves the function without types.
    of_all: Callable[[], object] = _has_any_global_hook
    return bool(of_all()) or any(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        for module in modules
    )

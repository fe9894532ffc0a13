"""Modules that are a chain of affine layers and piecewise linear activations, as flat arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from bitfold.polytopes.sampling import kernels
from bitfold.polytopes.tracing.dispatch import Watch
from bitfold.polytopes.tracing.nonlinearities import named_arguments, operation_name
from bitfold.polytopes.tracing.probed_module import points_like, try_run


@dataclass(frozen=True, eq=False)
class Layer:
    """One affine layer of a chain and the activation that follows it.

    Source: none, ours.

    Args:
        weights: float32 (out, in).
        biases: float32 (out,).
        kind: LINEAR, RELU, LEAKY_RELU or ABS of bitfold.polytopes.sampling.kernels.
        slope: slope of LEAKY_RELU below 0.
    """

    weights: npt.NDArray[np.float32]
    biases: npt.NDArray[np.float32]
    kind: int = kernels.LINEAR
    slope: float = 0.0


@dataclass(frozen=True, eq=False)
class Chain:
    """A module as layers one after the other, without branches.

    Source: none, ours.

    Args:
        layers: at least one, each as wide as the next expects.
    """

    layers: tuple[Layer, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, neurons of each layer, outputs last."""
        return (self.layers[0].weights.shape[1], *(len(layer.biases) for layer in self.layers))

    def evaluate(
        self, points: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint64]]:
        """Evaluate the chain at many points in float32, with activation patterns.

        Source: none, ours.

        Args:
            points: float32 (d, N).

        Returns:
            Values, float32 (N, outputs), and patterns, uint64 (words, N), at least one word.
        """
        num_points = points.shape[1]
        num_neurons = sum(len(x.biases) for x in self.layers if x.kind != kernels.LINEAR)
        values = np.empty((num_points, self.widths[-1]), np.float32)
        patterns = np.zeros((max(1, -(-num_neurons // 64)), num_points), np.uint64)
        flat = kernels.FlatChain(
            np.concatenate([_even(layer.weights).ravel() for layer in self.layers]),
            np.concatenate([_even(layer.biases) for layer in self.layers]),
            np.array(self.widths, np.int64),
            np.array([layer.kind for layer in self.layers], np.int64),
            np.array([layer.slope for layer in self.layers], np.float32),
            kernels.tile_px(max(self.widths)),
        )
        kernels.evaluate_chain(points, flat, values, patterns)
        return values, patterns


def _even(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Add a row of zeros to an odd number of rows: the kernel takes neurons in pairs."""
    if len(array) % 2 == 0:
        return array
    return np.concatenate([array, np.zeros_like(array[:1])])


_KINDS: Final[Mapping[str, int]] = {
    "relu": kernels.RELU,
    "leaky_relu": kernels.LEAKY_RELU,
    "abs": kernels.ABS,
}


class ChainTracer(Watch):
    """Follow the points through a module's operations for as long as they form a chain.

    Source: none, ours.

    Args:
        points: float32 (N, d), what the module is about to be called on while this mode is active.
    """

    def __init__(self, points: Tensor) -> None:
        super().__init__()
        # What was computed from the points, kept alive so that identity means something.
        self._derived = [points]
        self._layers: list[Layer] = []
        self._is_chain = points.dtype == torch.float32

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Perform one operation, then extend the chain by it, or give the chain up."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        used = [
            leaf
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, Tensor) and any(leaf is derived for derived in self._derived)
        ]
        if used and self._is_chain:
            follows = len(used) == 1 and used[0] is self._derived[-1]
            self._is_chain = follows and self._extend(func, args, kwargs)
            self._derived.append(result)
        return result

    def chain(self, output: Tensor) -> Chain | None:
        """Give the chain that leads from the points to the output, if that is what was seen.

        Source: none, ours.
        """
        if self._is_chain and self._layers and output is self._derived[-1]:
            return Chain(tuple(self._layers))
        return None

    def _extend(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        name = operation_name(func)
        arguments = named_arguments(func, args, kwargs)
        last = self._derived[-1]
        if name == "linear" and arguments["input"] is last:
            return self._add_layer(arguments["weight"], arguments["bias"])
        if name == "mm" and arguments["self"] is last:
            return self._add_layer(arguments["mat2"].t(), None)
        if name == "addmm" and arguments["mat1"] is last:
            is_plain = arguments["beta"] == 1 and arguments["alpha"] == 1
            return is_plain and self._add_layer(arguments["mat2"].t(), arguments["self"])
        if name in _KINDS:
            return self._add_activation(_KINDS[name], arguments.get("negative_slope", 0.0))
        return name in {"detach", "alias", "clone"}

    def _add_layer(self, weight: Tensor, bias: Tensor | None) -> bool:
        biases = torch.zeros(weight.shape[0]) if bias is None else bias
        if weight.dtype != torch.float32 or biases.shape != weight.shape[:1]:
            return False
        self._layers.append(Layer(_copy(weight), _copy(biases)))
        return True

    def _add_activation(self, kind: int, slope: float) -> bool:
        if not self._layers or self._layers[-1].kind != kernels.LINEAR:
            return False
        layer = self._layers[-1]
        self._layers[-1] = Layer(layer.weights, layer.biases, kind, slope)
        return True


def _copy(tensor: Tensor) -> npt.NDArray[np.float32]:
    return np.array(tensor.detach().cpu().numpy(), np.float32, order="C")


def trace_chain(module: nn.Module, points: npt.NDArray[np.float32]) -> Chain | None:
    """Lower a module to a chain by watching what it does to a few points.

    Source: none, ours.

    Args:
        module: any module, in evaluation mode. One whose control flow depends on the values of its
            input is followed along the path that these points take.
        points: float32 (d, N), a few.

    Returns:
        The chain, or None where the module does anything else, or works in another type than
        float32.

    Raises:
        PolytopeError: if the module cannot be run on the points.

    >>> chain = trace_chain(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), np.zeros((2, 1), np.float32))
    >>> chain.widths
    (2, 3)
    >>> trace_chain(nn.Tanh(), np.zeros((2, 1), np.float32)) is None
    True
    """
    batch = points_like(module, torch.from_numpy(np.ascontiguousarray(points.T)))
    tracer = ChainTracer(batch)
    with torch.no_grad(), tracer:
        output = try_run(module, batch)
    return tracer.chain(output)

"""What a module's weights do to its outputs, summed over inputs.

If a layer's weights change by D, a sample's outputs change, to first order, by the gradient of the
outputs with respect to the layer's own outputs, times D times the layer's inputs. The mean square
of this is estimated as the product of two means: the second moments of the layer's inputs, and for
each of its outputs the mean square of that gradient.

Source: Martens & Grosse 2015 (K-FAC) for the product of the two means; Hutchinson 1990 for
gradients of random combinations of all outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bitfold.errors import ModelFileError
from bitfold.model_file.calibrated.batches import Calibration, outputs_of, size_of

Floats = NDArray[np.float64]

# Probes are random, but the same at every call.
_SEED = 0


Read = tuple[Tensor | None, Tensor, Tensor | None]
"""What a function multiplies a weight with, as rows; the weight; the bias."""


@dataclass
class LayerMoments:
    """Second moments of one linear or convolutional layer.

    Attributes:
        inputs: (n + 1, n + 1), of inputs and of a constant 1, per place at which the layer is used.
        outputs: (m,), mean squares of gradients with respect to outputs, summed over a sample's
            places.
        bias: the layer's bias.
    """

    inputs: Tensor
    outputs: Tensor
    bias: Tensor | None


@dataclass
class Moments:
    """Second moments of all layers of a module.

    Attributes:
        layers: by the identity of the layer's weight.
        slopes: by the identity of every parameter, mean squares of the outputs' gradient.
        power: the mean square of a sample's outputs, summed over outputs.
    """

    layers: dict[int, LayerMoments]
    slopes: dict[int, Tensor]
    power: float


def observe(module: nn.Module, calibration: Calibration) -> Moments:
    """Compute a module's moments in one pass over calibration inputs.

    Args:
        module: is used in evaluation mode, and is afterwards as it was.
        calibration: batches of inputs.

    Raises:
        ModelFileError: if the module does not take a batch.
    """
    parameters: list[Tensor] = [p for p in module.parameters() if p.is_floating_point()]
    recorder = _Recorder(parameters)
    slopes = [torch.zeros_like(p, dtype=torch.float32) for p in parameters]
    random = torch.Generator().manual_seed(_SEED)
    power, samples = 0.0, 0
    with evaluation(module), _tracked(parameters), torch.enable_grad():
        for number, batch in enumerate(calibration):
            with recorder.recording():
                outputs = outputs_of(module, batch, number)
            total = torch.zeros((), device=outputs[0].device)
            for output in outputs:
                probe = torch.randn(output.shape, generator=random, device="cpu").to(output)
                total = total + (output * probe).sum().float()
                power += float(output.detach().cpu().double().square().sum())
            if not parameters or not total.requires_grad:
                raise ModelFileError(
                    "Cannot calibrate: expected outputs that depend on parameters, got others. "
                    "Leave torch.no_grad() out of forward, or leave calibration out."
                )
            found = torch.autograd.grad(total, parameters, allow_unused=True)
            for slope, gradient in zip(slopes, found, strict=True):
                if gradient is not None:
                    slope.add_(gradient.float().square())
            samples += size_of(batch)
    layers = recorder.moments(samples)
    keys = map(id, parameters)
    means = [slope / samples for slope in slopes]
    return Moments(layers, dict(zip(keys, means, strict=True)), power / samples)


@contextmanager
def evaluation(module: nn.Module) -> Iterator[None]:
    """Let a module be in evaluation mode within the block."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


@contextmanager
def _tracked(parameters: list[Tensor]) -> Iterator[None]:
    """Let all parameters have gradients within the block."""
    frozen = [p for p in parameters if not p.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


class _Recorder:
    """Sums moments of each call of a linear function or a convolution with a parameter."""

    def __init__(self, parameters: list[Tensor]) -> None:
        self._known = {id(p): p for p in parameters}
        self._sums = dict[int, LayerMoments]()
        self._places = dict[int, int]()

    def moments(self, samples: int) -> dict[int, LayerMoments]:
        """The means of the sums, for this many samples."""
        return {
            key: LayerMoments(sums.inputs / self._places[key], sums.outputs / samples, sums.bias)
            for key, sums in self._sums.items()
        }

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record all calls within the block.

        PyTorch's own layers find these functions in its module when they are called, so they are
        replaced there. Calls of other threads with other parameters are not recorded.
        """
        originals = {name: getattr(functional, name) for name in _LAYERS}
        for name, original in originals.items():
            setattr(functional, name, self._watched(original, _LAYERS[name]))
        try:
            yield
        finally:
            for name, original in originals.items():
                setattr(functional, name, original)

    def _watched(self, function: Callable[..., Tensor], read: Callable[..., Read]) -> Any:
        @wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Tensor:
            result = function(*args, **kwargs)
            inputs, weight, bias = read(*args, **kwargs)
            if inputs is not None and id(weight) in self._known:
                self._add(weight, inputs.detach(), bias, result)
            return result

        return watched

    def _add(self, weight: Tensor, inputs: Tensor, bias: Tensor | None, result: Tensor) -> None:
        rows = inputs.reshape(-1, inputs.shape[-1]).float()
        wide = torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)
        key = id(weight)
        if key not in self._sums:
            size = wide.shape[1]
            zeros = (wide.new_zeros(size, size), wide.new_zeros(weight.shape[0]))
            own = None if bias is None or id(bias) not in self._known else bias
            self._sums[key] = LayerMoments(*zeros, own)
            self._places[key] = 0
        sums = self._sums[key]
        sums.inputs += _second_moments(wide)
        self._places[key] += len(wide)
        if result.requires_grad:
            axis = -1 if weight.ndim == 2 else 1
            add = _adding(sums.outputs, axis)
            result.register_hook(add)  # type: ignore[no-untyped-call]  # PyTorch has no types here


def _second_moments(rows: Tensor) -> Tensor:
    """The product of a matrix's transpose with the matrix: (N, n) to (n, n)."""
    if rows.device.type != "cpu":
        return rows.T @ rows
    # NumPy sees that both are one array, and computes half of the product, as it is symmetric.
    own = rows.numpy()
    return torch.from_numpy(own.T @ own)


def _adding(sums: Tensor, axis: int) -> Callable[[Tensor], None]:
    def add(gradient: Tensor) -> None:
        sums.add_(gradient.detach().float().movedim(axis, 0).flatten(1).square().sum(1))

    return add


def _read_linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Read:  # noqa: A002 - PyTorch's name
    return input, weight, bias


def _read_convolution(  # noqa: PLR0917 - the order of PyTorch's arguments
    input: Tensor,  # noqa: A002 - PyTorch's name
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Read:
    if groups != 1 or isinstance(padding, str) or input.ndim != 4:
        return None, weight, bias
    with torch.no_grad():
        columns = functional.unfold(
            input.detach().float(), weight.shape[2:], dilation, padding, stride
        )
    return columns.transpose(1, 2), weight, bias


_LAYERS: dict[str, Callable[..., Read]] = {"linear": _read_linear, "conv2d": _read_convolution}

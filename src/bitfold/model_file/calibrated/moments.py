"""What a module's weights do to its outputs, summed over inputs.

If a layer's weights change by D, a sample's outputs change, to first order, by the gradient of the
outputs with respect to the layer's own outputs, times D times the layer's inputs. The mean square
of this is estimated as the product of two means: the second moments of the layer's inputs, and for
each of its outputs the mean square of that gradient.

Source: Martens & Grosse 2015 (K-FAC) for the product of the two means; Hutchinson 1990 for
gradients of random combinations of all outputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import functional

from bitfold.errors import ModelFileError
from bitfold.model_file.calibrated.batches import Calibration, outputs_of, size_of
from bitfold.model_file.calibrated.patches import patches

Floats = NDArray[np.float64]

# Probes are random, but the same at every call.
_SEED = 0
# Samples of which gradients are taken: the first ones, one in so many later ones, and those that
# reach a layer that none before has reached. Mean squares of gradients need fewer samples than
# second moments of many inputs. All are taken where batches leave out elements of a parameter.
_FIRST_GRADIENTS, _ONE_IN = 500, 8
# Columns of a symmetric product that are computed together.
_BLOCK = 128

Read = tuple[Tensor, Tensor | None, Callable[[torch.Generator], Tensor] | None]
"""The weight of a call, its bias, and what makes the rows that it is multiplied with; None: it is
not known."""


@dataclass
class LayerMoments:
    """Second moments of one linear or convolutional layer.

    Attributes:
        inputs: (n + 1, n + 1), of inputs and of a constant 1, per place at which the layer is used.
        outputs: (m,), mean squares of gradients with respect to outputs, summed over a sample's
            places.
        bias: the layer's bias.
        samples: of which inputs were seen.
    """

    inputs: Tensor
    outputs: Tensor
    bias: Tensor | None
    samples: int


@dataclass
class Moments:
    """Second moments of all layers of a module.

    Attributes:
        layers: by the identity of the layer's weight.
        slopes: by the identity of every other parameter, mean squares of the outputs' gradient.
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
    random = torch.Generator().manual_seed(_SEED)
    recorder = _Recorder(parameters, random)
    samples, sloped = 0, 0
    # Without gradients, some of PyTorch's layers take a shorter way, on which nothing is recorded.
    with evaluation(module), _tracked(parameters), torch.enable_grad():
        for number, batch in enumerate(calibration):
            later = max(samples - _FIRST_GRADIENTS, 0)
            has_gradient = sloped < _FIRST_GRADIENTS + later / _ONE_IN
            with recorder.recording():
                outputs = outputs_of(module, batch, number)
            recorder.add_outputs(outputs)
            samples += size_of(batch)
            if has_gradient or recorder.must_have_gradient:
                recorder.add_gradients(_mixed(outputs, random), size_of(batch))
                sloped += size_of(batch)
            recorder.end_batch(size_of(batch))
    return recorder.moments(samples, sloped)


def _mixed(outputs: Sequence[Tensor], random: torch.Generator) -> Tensor:
    """The sum of all outputs, each times a random number."""
    total = torch.zeros((), device=outputs[0].device)
    for output in outputs:
        probe = torch.randn(output.shape, generator=random, device="cpu").to(output)
        total = total + (output * probe).sum().float()
    if not total.requires_grad:
        raise ModelFileError(
            "Cannot calibrate: expected outputs that depend on parameters, got others. "
            "Leave torch.no_grad() out of forward, or leave calibration out."
        )
    return total


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
    """Sums moments of each call of a linear function or a convolution with a parameter.

    Args:
        parameters: all that matter.
        random: for the places of convolutions.

    Attributes:
        power: the sum of squares of all outputs.
    """

    def __init__(self, parameters: list[Tensor], random: torch.Generator) -> None:
        self._known = {id(p): p for p in parameters}
        self._random = random
        self._sums = dict[int, tuple[Tensor, Tensor, Tensor | None]]()
        self._places = dict[int, int]()
        self.power = 0.0
        self._slopes = {
            key: torch.zeros_like(p, dtype=torch.float32) for key, p in self._known.items()
        }
        # Of each call in the batch: where its gradient arrives, the sums and the axis of outputs.
        self._calls = list[tuple[GradientEdge, Tensor, int]]()
        # Weights of layers that this batch calls. For each layer: samples in batches that called
        # it, and samples in those of these batches whose gradients were taken.
        self._called = set[int]()
        self._seen, self._sloped = Counter[int](), Counter[int]()
        self._reached = _Reached()

    @property
    def must_have_gradient(self) -> bool:
        """Whether other batches do not tell enough about what this batch reaches."""
        return self._reached.differs or any(key not in self._sloped for key in self._called)

    def moments(self, samples: int, sloped: int) -> Moments:
        """The means of the sums, for this many samples, and this many with gradients."""
        layers = dict[int, LayerMoments]()
        for key, (inputs, outputs, bias) in self._sums.items():
            share = self._seen[key] / samples
            means = inputs / self._places[key], outputs * share / max(self._sloped[key], 1)
            layers[key] = LayerMoments(*means, bias, self._seen[key] or samples)
        others = self._slopes.items()
        slopes = {key: slope / sloped for key, slope in others if key not in layers}
        return Moments(layers, slopes, self.power / samples)

    def add_outputs(self, outputs: Sequence[Tensor]) -> None:
        """Add the squares of a batch's outputs."""
        for output in outputs:
            self.power += float(output.detach().cpu().double().square().sum())

    def add_gradients(self, total: Tensor, samples: int) -> None:
        """Add the squares of gradients of a combination of outputs of a batch's samples."""
        # Gradients with respect to a layer's weights would take as long as those of its inputs.
        others = [p for key, p in self._known.items() if key not in self._sums]
        calls = self._calls
        asked: list[Any] = [*(edge for edge, _, _ in calls), *others]
        found = torch.autograd.grad(total, asked, allow_unused=True) if asked else ()
        for (_, sums, axis), gradient in zip(calls, found, strict=False):
            if gradient is not None:
                outer = [side for side in range(gradient.ndim) if side != axis % gradient.ndim]
                sums.add_(gradient.float().square().sum(outer))
        for parameter, gradient in zip(others, found[len(calls) :], strict=True):
            dense = None if gradient is None else gradient.to_dense().float()
            if dense is not None:
                self._slopes[id(parameter)] += dense.square()
            if parameter.ndim > 1 and id(parameter) not in self._called:
                self._reached.add(parameter, dense)
        self._sloped.update(dict.fromkeys(self._called, samples))

    def end_batch(self, samples: int) -> None:
        """Count a batch's samples, and let go of its calls: no more gradients are asked for."""
        self._seen.update(dict.fromkeys(self._called, samples))
        self._calls, self._called = [], set()

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
            weight, bias, rows = read(*args, **kwargs)
            if rows is not None and id(weight) in self._known:
                with torch.no_grad():
                    self._add(weight, rows(self._random), bias)
                if result.requires_grad:
                    # What is done to the result in place changes its gradient, but not this one.
                    edge = get_gradient_edge(result)
                    axis = -1 if weight.ndim == 2 else 1
                    self._calls.append((edge, self._sums[id(weight)][1], axis))
            if id(weight) in self._known and result.requires_grad:
                self._called.add(id(weight))
            return result

        return watched

    def _add(self, weight: Tensor, rows: Tensor, bias: Tensor | None) -> None:
        key, size = id(weight), rows.shape[1]
        if key not in self._sums:
            zeros = (rows.new_zeros(size + 1, size + 1), rows.new_zeros(weight.shape[0]))
            own = None if bias is None or id(bias) not in self._known else bias
            self._sums[key] = (*zeros, own)
            self._places[key] = 0
        sums, means = self._sums[key][0], rows.sum(0)
        sums[:size, :size] += _second_moments(rows)
        sums[size, :size] += means
        sums[:size, size] += means
        sums[size, size] += len(rows)
        self._places[key] += len(rows)


class _Reached:
    """Which elements of parameters batches reach.

    The upper half of a picture tells nothing of features of a grid that lie in the lower half, nor
    one text of the words of another. Elements of a neuron that is always off look the same, and
    cost gradients that tell nothing new.
    """

    def __init__(self) -> None:
        self._first = dict[int, Tensor]()
        self._are_different = False

    @property
    def differs(self) -> bool:
        """Whether batches reach different elements, or have left some out until now."""
        return self._are_different or not all(bool(first.all()) for first in self._first.values())

    def add(self, parameter: Tensor, gradient: Tensor | None) -> None:
        """Note what a batch reaches; None: nothing."""
        now = torch.zeros_like(parameter, dtype=torch.bool) if gradient is None else gradient != 0
        first = self._first.setdefault(id(parameter), now)
        self._are_different |= not torch.equal(first, now)


def _second_moments(rows: Tensor) -> Tensor:
    """The product of a matrix's transpose with the matrix: (N, n) to (n, n).

    It is symmetric, so that blocks below the diagonal are copied. PyTorch computes it, as NumPy's
    products have threads of their own, which wait for each other where cores are busy: 200 times
    as long for 7,000 rows of 64 numbers.
    """
    size = rows.shape[1]
    found = rows.new_empty(size, size)
    for first in range(0, size, _BLOCK):
        end = min(first + _BLOCK, size)
        found[first:end, first:] = rows[:, first:end].T @ rows[:, first:]
        found[end:, first:end] = found[first:end, end:].T
    return found


def _read_linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Read:  # noqa: A002 - PyTorch's name
    return weight, bias, lambda _: input.detach().reshape(-1, input.shape[-1]).float()


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
        return weight, bias, None
    spacing, kernel = (stride, padding, dilation), weight.shape[2:]
    return weight, bias, lambda random: patches(input.detach().float(), kernel, spacing, random)


_LAYERS: dict[str, Callable[..., Read]] = {"linear": _read_linear, "conv2d": _read_convolution}

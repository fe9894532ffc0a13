"""The windows of max-pooling and of maxima: the elements of which each output is the largest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.errors import PolytopeError
from bitfold.polytopes.tracing.operation import Operation

Places = NDArray[np.int64]

_SMALLEST: Final = frozenset({"amin", "min"})
_ADAPTIVE: Final = frozenset({"adaptive_max_pool2d", "adaptive_max_pool3d"})
_ALONG: Final = frozenset({"amax", "amin", "max", "min"})


@dataclass(frozen=True, eq=False)
class Choice:
    """The windows of an operation that hands on the largest element of each window.

    Of equal elements the first counts as the largest, as in PyTorch's own indices. Elements are
    compared in a tournament of neighbours, in which the later element has to be surely larger; see
    `rounds`.

    Args:
        windows: int64 (windows, places), elements of one input, flat and ascending. Where a border
            cuts a window off, its first element is repeated: a copy is never larger.
        shape: of one result.
        sign: -1 if the smallest element is handed on, else 1.
        has_indices: whether the operation also returns the places of the elements.
    """

    windows: Tensor
    shape: tuple[int, ...]
    sign: int
    has_indices: bool

    @property
    def num_neurons(self) -> int:
        """The number of elements of all windows. Each is a neuron, active where it wins."""
        return self.windows.numel()

    def rounds(self) -> list[list[tuple[int, int, int]]]:
        """Return each round's comparisons: of the winner of [a, b) with that of [b, c)."""
        count, half, found = self.windows.shape[1], 1, []
        while half < count:
            starts = range(0, count - half, 2 * half)
            found.append([(s, s + half, min(s + 2 * half, count)) for s in starts])
            half *= 2
        return found

    def candidates(self, values: Tensor) -> Tensor:
        """Return all windows' elements (N, windows, places), signed so that the largest wins."""
        found: Tensor = values.reshape(len(values), -1)[:, self.windows.to(values.device)]
        return found if self.sign > 0 else -found

    def winners(self, values: Tensor, slack: Tensor | float = 0.0) -> Tensor:
        """Return the place that wins in each window: int64 (N, windows).

        Args:
            values: (N, ...), the elements.
            slack: (windows,), the difference by which a later element must be larger.
        """
        best = self.candidates(values)
        least = slack[:, None] if isinstance(slack, Tensor) else slack
        places = torch.arange(best.shape[2], device=best.device).expand(best.shape).clone()
        half = 1
        while half < best.shape[2]:
            first, second = slice(None, best.shape[2] - half, 2 * half), slice(half, None, 2 * half)
            is_larger = best[..., second] - best[..., first] > least
            best[..., first] = torch.where(is_larger, best[..., second], best[..., first])
            places[..., first] = torch.where(is_larger, places[..., second], places[..., first])
            half *= 2
        return places[..., 0]

    def activations(self, values: Tensor, slack: Tensor | float = 0.0) -> Tensor:
        """Return which elements win, as for `winners`: bool (N, neurons), window after window."""
        winners = self.winners(values, slack)[..., None]
        found: Tensor = winners == torch.arange(self.windows.shape[1], device=winners.device)
        return found.flatten(1)

    def pick(self, values: Tensor, winners: Tensor) -> Tensor:
        """Return the elements at places (N, windows) of the windows, in the shape of the result."""
        count = len(self.windows)
        elements = self.windows[torch.arange(count, device="cpu"), winners]
        return values.reshape(len(values), -1).gather(1, elements).reshape(-1, *self.shape)

    def result(self, values: Any) -> Any:
        """Return the operation's result for values that it hands on; without their places."""
        return (values, None) if self.has_indices else values


def choice_of(operation: Operation, shape: Sequence[int]) -> Choice:
    """Return the windows of an operation.

    Args:
        operation: one of `pieces.CHOICES`.
        shape: of the operation's argument for one input, without the batch.

    Raises:
        PolytopeError: a window lies wholly beyond the border, or a maximum is over the batch.
    """
    arguments, name = operation.arguments, operation.name
    has_indices = name not in {"amax", "amin"}
    if name in _ALONG:
        windows, result = _along(arguments, tuple(shape))
    else:
        num_sides = 3 if "3d" in name else 2
        sides = tuple(shape)[-num_sides:]
        tables = _adaptive(arguments, sides) if name in _ADAPTIVE else _sliding(arguments, sides)
        windows, result = _on_grid(tables, tuple(shape))
    sign = -1 if name in _SMALLEST else 1
    return Choice(torch.from_numpy(np.ascontiguousarray(windows)), result, sign, has_indices)


def _along(arguments: Any, shape: tuple[int, ...]) -> tuple[Places, tuple[int, ...]]:
    """Return the windows of a maximum over some dimensions; dimension 0 is the batch."""
    given = arguments.get("dim", [])
    given = list(given) if isinstance(given, Sequence) else [given]
    over = sorted(one % (len(shape) + 1) - 1 for one in given)
    if not over or over[0] < 0:
        raise PolytopeError(
            "Cannot find polytopes: expected each input to be worked on by itself, got a maximum "
            "or minimum over all of a batch. Name the dimensions after the first."
        )
    rest = [one for one in range(len(shape)) if one not in over]
    places = np.arange(math.prod(shape)).reshape(shape).transpose(*rest, *over)
    windows = places.reshape(math.prod(shape[one] for one in rest), -1)
    kept = [1 if one in over else side for one, side in enumerate(shape)]
    return windows, tuple(kept if arguments["keepdim"] else (shape[one] for one in rest))


def _sliding(arguments: Any, sides: Sequence[int]) -> list[Places]:
    """Return, for each side, the places of each window along it; -1 beyond the border."""

    def each(name: str, otherwise: Sequence[int]) -> list[int]:
        found = list(arguments[name]) or list(otherwise)
        return found * len(sides) if len(found) == 1 else found

    kernel, dilation = each("kernel_size", []), each("dilation", [1])
    stride, padding = each("stride", kernel), each("padding", [0])
    tables = []
    for side, length in enumerate(sides):
        step, before = stride[side], padding[side]
        room = length + 2 * before - dilation[side] * (kernel[side] - 1) - 1
        count = (room + (step - 1 if arguments["ceil_mode"] else 0)) // step + 1
        if arguments["ceil_mode"] and (count - 1) * step >= length + before:
            count -= 1  # a window must begin within the input or its padding before it
        starts = step * np.arange(count) - before
        places = starts[:, None] + dilation[side] * np.arange(kernel[side])
        tables.append(np.where((places >= 0) & (places < length), places, -1))
    return tables


def _adaptive(arguments: Any, sides: Sequence[int]) -> list[Places]:
    tables = []
    for count, length in zip(arguments["output_size"], sides, strict=True):
        starts = np.arange(count) * length // count
        ends = -(-(np.arange(count) + 1) * length // count)
        places = starts[:, None] + np.arange((ends - starts).max())
        tables.append(np.where(places < ends[:, None], places, -1))
    return tables


def _on_grid(tables: list[Places], shape: tuple[int, ...]) -> tuple[Places, tuple[int, ...]]:
    """Combine the windows of all sides, for each channel."""
    flat = np.zeros((1, 1), np.int64)
    for table, length in zip(tables, shape[-len(tables) :], strict=True):
        below = flat[:, None, :, None] * length + table[None, :, None, :]
        is_beyond = (flat[:, None, :, None] < 0) | (table[None, :, None, :] < 0)
        flat = np.where(is_beyond, -1, below).reshape(len(flat) * len(table), -1)
    # Places beyond the border go last, so that each window begins with an element of its own.
    flat = np.take_along_axis(flat, np.argsort(flat < 0, axis=1, kind="stable"), 1)
    if num_empty := int((flat[:, 0] < 0).sum()):
        raise PolytopeError(
            "Cannot find exact polytopes: expected windows of max-pooling that each hold an "
            f"element, got {num_empty} of {len(flat)} beyond the border. Use less padding or "
            "dilation, or ceil_mode=False."
        )
    flat = np.where(flat < 0, flat[:, :1], flat)
    leading = shape[: -len(tables)]
    size = math.prod(shape[-len(tables) :])
    offsets = size * np.arange(math.prod(leading))
    windows = (offsets[:, None, None] + flat).reshape(-1, flat.shape[1])
    return windows, (*leading, *(len(table) for table in tables))

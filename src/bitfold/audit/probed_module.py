"""A module under audit: its trainable parameters, and ways to move them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from bitfold.errors import AuditError
from bitfold.runtime.tensor_kinds import odd_kind
from bitfold.runtime.wrapped_modules import plain_names, unwrap

# Smallest element of a random direction, relative to the largest: each one is large enough to show.
_SMALLEST_STEP = 0.5


class ProbedModule:
    """A module's trainable parameters, with random directions to displace them along.

    Args:
        name: the module's.
        module: any; parameters have the names of the module within its wrappers.
        bit: position of the module's bit in masks.
        seed: of the random directions.

    Raises:
        AuditError: if no parameter is trainable, or a trainable one has no or not only finite
            values.
    """

    def __init__(self, name: str, module: nn.Module, bit: int, seed: int) -> None:
        self.name = name
        self.bit = bit
        self._seed = seed
        inner = unwrap(module)
        plain = plain_names(inner)
        found = {plain(name): item for name, item in inner.named_parameters()}
        named = {key: item for key, item in found.items() if item.requires_grad and _is_full(item)}
        if not named:
            _refuse(name, len(found))
        for key, item in named.items():
            _check(name, key, item)
        self.parameters: list[nn.Parameter] = list(named.values())
        self.num_weights = sum(item.numel() for item in self.parameters)
        self.storages = {
            item.untyped_storage().data_ptr(): f"{name}.{key}" for key, item in named.items()
        }
        self._sizes = _root_mean_squares(self.parameters)

    def moves(
        self, direction: int, size: float, masks: Sequence[Tensor] | None = None
    ) -> dict[nn.Parameter, Tensor]:
        """Return a displacement for each parameter.

        Args:
            direction: number of the random direction; the same number gives the same direction.
            size: in root mean squares of each parameter's elements; negative to go back.
            masks: bool, for each parameter the elements that move; None for all.

        Returns:
            For each parameter a tensor of its shape and dtype: a random sign times a size between
            half and all of ``size`` root mean squares.
        """
        generator = torch.Generator().manual_seed(self._seed + direction)
        moves = {}
        for number, parameter in enumerate(self.parameters):
            shape = (
                torch.view_as_real(parameter.detach()).shape
                if parameter.is_complex()
                else (parameter.shape)
            )
            uniform = (
                2 * torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu") - 1
            )
            steps = uniform.sign() * _SMALLEST_STEP + uniform * (1 - _SMALLEST_STEP)
            steps = (steps * (size * self._sizes[number])).to(parameter.device)
            move = torch.view_as_complex(steps) if parameter.is_complex() else steps
            if masks is not None:
                move = move * masks[number]
            moves[parameter] = move.to(parameter.dtype)
        return moves

    def gradient_masks(self, gradients: Sequence[Tensor | None]) -> list[Tensor]:
        """Return a bool mask for each parameter: the elements whose gradient is not zero."""
        return [
            torch.zeros_like(parameter, dtype=torch.bool)
            if gradient is None
            else (gradient.to_dense() if gradient.is_sparse else gradient) != 0
            for parameter, gradient in zip(self.parameters, gradients, strict=True)
        ]

    def masks_of(self, indices: Sequence[int]) -> list[Tensor]:
        """Return masks of single elements; indices count through all parameters."""
        masks = [
            torch.zeros(item.numel(), dtype=torch.bool, device="cpu") for item in self.parameters
        ]
        for index in indices:
            left = index
            for mask in masks:
                if 0 <= left < len(mask):
                    mask[left] = True
                left -= len(mask)
        return [
            mask.view(item.shape).to(item.device)
            for mask, item in zip(masks, self.parameters, strict=True)
        ]

    def few(self, draw: int, count: int) -> list[Tensor]:
        """Return masks of ``count`` random elements; the same draw gives the same elements."""
        generator = torch.Generator().manual_seed(self._seed + draw)
        indices = torch.randint(self.num_weights, (count,), generator=generator, device="cpu")
        return self.masks_of(indices.tolist())

    def slope(
        self,
        gradients: Sequence[Tensor | None],
        start: Mapping[nn.Parameter, Tensor],
        end: Mapping[nn.Parameter, Tensor],
    ) -> float:
        """Return the change of the value from one displacement to another, by the gradient."""
        total = 0.0
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            if gradient is None:
                continue
            # The change after rounding to the parameter's dtype; the difference of two numbers so
            # close to each other is exact.
            here = parameter.detach()
            change = (here + end[parameter]) - (here + start[parameter])
            dense = gradient.to_dense() if gradient.is_sparse else gradient
            total += float((_exact(dense) * _exact(change)).sum())
        return total


def _exact(tensor: Tensor) -> Tensor:
    plain = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return plain.detach().to("cpu", torch.float64)


def _root_mean_squares(parameters: Sequence[Tensor]) -> list[float]:
    """One for each parameter; if its elements are all 0, that of all parameters, or else 1."""
    squares = [float(_exact(item).square().sum()) for item in parameters]
    overall = sum(squares) / sum(item.numel() for item in parameters)
    return [
        (square / item.numel() or overall or 1.0) ** 0.5
        for square, item in zip(squares, parameters, strict=True)
    ]


def _is_full(item: nn.Parameter) -> bool:
    return isinstance(item, UninitializedParameter) or item.numel() > 0


def _refuse(name: str, num_parameters: int) -> None:
    found = f"{num_parameters} frozen or empty ones" if num_parameters else "no parameters"
    raise AuditError(
        f"Cannot audit module {name!r}: expected at least one trainable parameter, got {found}. "
        "Leave it out: no gradient is meant to reach it."
    )


def _check(module: str, name: str, item: nn.Parameter) -> None:
    found = odd_kind(item)
    if found is None and item.dtype.itemsize == 1:
        found = f"one of {item.dtype}, in which no training computes. Convert it to bfloat16"
    if found is None and not bool(torch.isfinite(item.detach()).all()):
        found = "NaN or infinite values. Initialise it first"
    if found is not None:
        raise AuditError(
            f"Cannot audit module {module!r}: expected finite parameters, got {name!r} with "
            f"{found}."
        )

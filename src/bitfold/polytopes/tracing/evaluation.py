"""Running any module: checked, in evaluation mode, and left unchanged."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from bitfold.errors import PolytopeError
from bitfold.runtime.wrapped_modules import unwrap


def network_of(given: Any) -> nn.Module:
    """The module within all wrappers around it, such as a compiled or data-parallel one.

    Raises:
        PolytopeError: if it is no module.
    """
    if isinstance(given, nn.Module):
        network = unwrap(given)
        for name, part in network.named_modules():
            if isinstance(part, torch.jit.ScriptModule):
                raise PolytopeError(
                    f"Cannot find polytopes: expected a module of Python, got {name or 'one'!r} "
                    "that TorchScript compiled. Pass the module before torch.jit.script or trace."
                )
        return network
    kind = type(given)
    raise PolytopeError(
        f"Cannot find polytopes: expected a torch.nn.Module, got {kind.__module__}."
        f"{kind.__qualname__}. Build a module of its weights."
    )


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode without gradients, and restore every submodule's mode.

    Args:
        module: any module; its parts may be in different modes.

    Guarantees: parameters, gradients and the mode of every part are as before; the random number
    generators are not touched, unless the module itself draws numbers in evaluation mode.

    >>> dropout = nn.Dropout()
    >>> with evaluation_mode(dropout):
    ...     dropout.training
    False
    >>> dropout.training
    True
    """
    training = [part for part in module.modules() if part.training]
    for part in training:
        part.training = False
    try:
        # Not inference_mode: tensors that a module caches in its forward must stay usable.
        with torch.no_grad():
            yield
    finally:
        for part in training:
            part.training = True


def check_finite(module: nn.Module) -> None:
    """Refuse a module with a parameter or buffer that is not finite.

    Raises:
        PolytopeError: if any floating-point parameter or buffer holds an infinity or a NaN.
    """
    for kind, tensors in (
        ("parameter", module.named_parameters()),
        ("buffer", module.named_buffers()),
    ):
        for name, tensor in tensors:
            num_bad = int((~torch.isfinite(tensor.detach())).sum())
            if num_bad:
                message = (
                    f"Cannot find polytopes: expected finite weights, got {num_bad} of "
                    f"{tensor.numel()} not finite in {kind} {name}. Use an earlier checkpoint."
                )
                raise PolytopeError(message)


def points_like(module: nn.Module, points: Tensor) -> Tensor:
    """Move points to the device and floating-point type of a module's first parameter or buffer.

    Args:
        module: any module; one without parameters and buffers gets the points as they are.
        points: float32 (N, d).

    >>> points_like(nn.Linear(2, 1).double(), torch.zeros(3, 2)).dtype
    torch.float64
    """
    for tensors in (module.parameters(), module.buffers()):
        for tensor in tensors:
            if tensor.is_floating_point():
                return points.to(device=tensor.device, dtype=tensor.dtype)
    return points


def run(module: nn.Module, points: Tensor) -> Tensor:
    """Call a module on points and check its output.

    Args:
        module: any module, in evaluation mode.
        points: float (N, d) on the module's device.

    Returns:
        The module's own output tensor: (N, outputs), or (N,) for a single one.

    Raises:
        PolytopeError: the module returns anything else.
    """
    output = module(points)
    if not isinstance(output, Tensor):
        got = type(output).__name__
    elif output.ndim not in {1, 2} or output.shape[0] != len(points) or output.shape[-1] == 0:
        got = f"shape {tuple(output.shape)}"
    elif output.is_complex():
        got = str(output.dtype)
    else:
        return output
    message = (
        f"Cannot find polytopes: expected an output of shape ({len(points)}, outputs), got {got}. "
        "Wrap the module in one that returns a single such tensor."
    )
    raise PolytopeError(message)


def try_run(module: nn.Module, points: Tensor) -> Tensor:
    """Call a module on a few points, and turn its errors into errors about the points.

    Args:
        module: any module, in evaluation mode.
        points: float (N, d) on the module's device.

    Returns:
        The module's own output tensor.

    Raises:
        PolytopeError: if the module cannot take points of d coordinates, or its output is unfit.
    """
    try:
        return run(module, points)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        message = (
            f"Cannot find polytopes: expected a module that takes points of {points.shape[1]} "
            f"coordinates, got: {reason[0]}. Give as many coordinates as it has inputs."
        )
        raise PolytopeError(message) from error

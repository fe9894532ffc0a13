"""Activation patterns of any module, recorded from its operations."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from bitfold.errors import PolytopeError
from bitfold.polytopes.lowering.choices import choice_of
from bitfold.polytopes.tracing.dispatch import Watch, is_label, without_compiling
from bitfold.polytopes.tracing.evaluation import points_like, run
from bitfold.polytopes.tracing.nonlinearities import (
    NONLINEARITIES,
    REFUSED,
    fold_signs,
    named_arguments,
    operation_name,
)
from bitfold.polytopes.tracing.operation import Operation
from bitfold.polytopes.tracing.pieces import CHOICES

# Points that are run together. On a CPU the activations of a few layers should stay within its
# caches; an accelerator needs enough points to be busy.
CHUNK_ON_CPU: Final = 8_192
CHUNK_ON_ACCELERATOR: Final = 131_072


class PatternRecorder(Watch):
    """Records the signs of the pre-activations of every fold.

    Args:
        points: (N, d), on which the module will be called while this mode is active.
    """

    def __init__(self, points: Tensor) -> None:
        super().__init__()
        self._num_points = points.shape[0]
        # Tensors that depend on the points, not on weights alone.
        self._derived = WeakTensorKeyDictionary()
        self._derived[points] = True
        self._signs: list[Tensor] = []
        # The result of the last smooth nonlinearity, and the number of signs recorded before it.
        self._smooth_result: Tensor | None = None
        self._num_before_smooth = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Record one operation, then perform it."""
        kwargs = kwargs or {}
        leaves = tree_leaves((args, kwargs))
        is_derived = any(isinstance(leaf, Tensor) and leaf in self._derived for leaf in leaves)
        if not is_derived or is_label(func):
            return func(*args, **kwargs)
        # Before the call, as an operation in place overwrites its input.
        is_smooth = self._record(func, args, kwargs)
        results = func(*args, **kwargs)
        for result in tree_leaves(results):
            if isinstance(result, Tensor):
                self._derived[result] = True
                if is_smooth:
                    self._smooth_result = result
        return results

    def _record(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        name = operation_name(func)
        if name in REFUSED:
            message = (
                f"Cannot find polytopes: expected elementwise activations, got {name}. "
                "Its folds are not those of single neurons."
            )
            raise PolytopeError(message)
        if name in CHOICES:
            operation = Operation(func, tuple(args), dict(kwargs), "", is_derived=True)
            values = operation.arguments["self"]
            choice = choice_of(operation, values.shape[1:])
            self._append(name, choice.activations(values))
            return False
        nonlinearity = NONLINEARITIES.get(name)
        if nonlinearity is None:
            return False
        self._num_before_smooth = len(self._signs)
        self._smooth_result = None
        for signs in fold_signs(nonlinearity, named_arguments(func, args, kwargs)):
            self._append(name, signs)
        return nonlinearity.is_smooth

    def _append(self, name: str, signs: Tensor) -> None:
        if signs.ndim == 0 or signs.shape[0] != self._num_points:
            message = (
                f"Cannot find polytopes: expected the {self._num_points} points along the "
                f"first dimension of the input of {name}, got shape {tuple(signs.shape)}. "
                "Keep the batch first throughout the module."
            )
            raise PolytopeError(message)
        self._signs.append(signs.reshape(self._num_points, -1))

    def patterns(self, output: Tensor) -> npt.NDArray[np.uint64]:
        """Pack the signs, one bit each, in the order in which they were computed.

        Args:
            output: of the module. If a smooth nonlinearity made it, its signs are left out.

        Returns:
            uint64 (words, N), at least one word; sign k is bit k % 64 of word k // 64.
        """
        signs = self._signs
        smooth = self._smooth_result
        if smooth is not None and _share_memory(smooth, output):
            signs = signs[: self._num_before_smooth]
        return pack_signs(torch.cat(signs, dim=1)) if signs else _no_signs(self._num_points)


def _share_memory(first: Tensor, second: Tensor) -> bool:
    return first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()


def _no_signs(num_points: int) -> npt.NDArray[np.uint64]:
    return np.zeros((1, num_points), np.uint64)


def pack_signs(signs: Tensor) -> npt.NDArray[np.uint64]:
    """Pack signs into words, a bit each.

    Args:
        signs: bool (N, neurons).

    Returns:
        uint64 (words, N), at least one word; neuron k is bit k % 64 of word k // 64.

    >>> pack_signs(torch.tensor([[True, False, True]]))
    array([[5]], dtype=uint64)
    """
    num_points, num_neurons = signs.shape
    if num_neurons == 0:
        return _no_signs(num_points)
    octets = np.packbits(signs.cpu().numpy(), axis=1, bitorder="little")
    padded = np.zeros((num_points, -(-num_neurons // 64) * 8), np.uint8)
    padded[:, : octets.shape[1]] = octets
    return padded.view("<u8").T.astype(np.uint64)


def evaluate_module(
    module: nn.Module, points: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint64]]:
    """Evaluate any module at many points, with activation patterns, a chunk at a time.

    Args:
        module: any module, in evaluation mode.
        points: float32 (d, N).

    Returns:
        Values, float32 (N, outputs), and patterns, uint64 (words, N).

    Raises:
        PolytopeError: the module has an operation without polytopes.
    """
    chunk = _chunk_size(points_like(module, torch.empty(0, points.shape[0], device="cpu")))
    values, patterns = [], []
    for start in range(0, points.shape[1], chunk):
        rows = np.ascontiguousarray(points[:, start : start + chunk].T)
        batch = points_like(module, torch.from_numpy(rows))
        recorder = PatternRecorder(batch)
        with without_compiling(), recorder:
            output = run(module, batch)
        patterns.append(recorder.patterns(output))
        values.append(output.reshape(len(rows), -1).float().cpu().numpy())
    return np.concatenate(values), np.concatenate(patterns, axis=1)


def _chunk_size(points: Tensor) -> int:
    return CHUNK_ON_CPU if points.device.type == "cpu" else CHUNK_ON_ACCELERATOR

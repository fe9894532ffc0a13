"""Modules whose parameters FSDP2 (``torch.distributed.fsdp.fully_shard``) divides among processes.

PyTorch's classes are known by their full names or looked up where they are loaded already: to
import them takes seconds, and without them no module is divided.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

from torch import Tensor, nn

_TENSORS: Final = "torch.distributed.tensor"
_FSDP2: Final = "FSDPModule"
_FSDP1: Final = "FullyShardedDataParallel"
_STAGE: Final = "_PipelineStageBase"
_WHERE: Final = "torch.distributed.fsdp"


def is_sharded(tensor: Tensor) -> bool:
    """Whether a tensor is a DTensor, of which each process holds a part.

    >>> is_sharded(nn.Parameter())
    False
    """
    loaded: Any = sys.modules.get(_TENSORS)
    return loaded is not None and isinstance(tensor, loaded.DTensor)


def is_divided(module: nn.Module) -> bool:
    """Whether processes hold parts of a module's parameters.

    >>> is_divided(nn.Linear(2, 3))
    False
    """
    return _TENSORS in sys.modules and any(map(is_sharded, module.parameters()))


def local_part(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds, in the tensor's own memory, without graph."""
    if not is_sharded(tensor):
        return tensor.detach()
    sharded: Any = tensor.detach()
    part: Tensor = sharded.to_local()
    return part


def whole_tensor(tensor: Tensor) -> Tensor:
    """All numbers of a tensor; all processes that hold parts of it call this together."""
    if not is_sharded(tensor):
        return tensor
    sharded: Any = tensor
    whole: Tensor = sharded.full_tensor()
    return whole


def restore_shards(module: nn.Module) -> None:
    """Let a module hold its sharded parameters, and not those that a forward pass gathered."""
    for part in module.modules() if _WHERE in sys.modules else ():
        if _is_a(part, _FSDP2):
            fsdp: Any = part
            fsdp.reshard()


class GatheredParameters:
    """The gathered forms of a module's parameters, which FSDP2 holds between forward and backward.

    FSDP2 makes them once and uses them again. They are read when they are first asked for, and
    once: to read them for each parameter takes a time that grows with the square of their number.

    Args:
        module: all that is described. FSDP2 may have divided it, parts of it, or a parent.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def has_exchanged(self, kept: object, held: object) -> bool:
        """Whether a sharded parameter's gathered form is held in its place.

        If no part of the module owns the parameter, because a parent was divided, every whole
        tensor of its shape passes.

        Args:
            kept: the parameter that a module held.
            held: by that module now.
        """
        if not (isinstance(held, Tensor) and isinstance(kept, Tensor)):
            return False
        if not is_sharded(kept) or is_sharded(held) or held.shape != kept.shape:
            return False
        return self._by_parameter.get(id(kept), held) is held

    @cached_property
    def _by_parameter(self) -> dict[int, object]:
        try:
            return {id(item.sharded_param): _gathered(item) for item in _divided(self._module)}
        except AttributeError:
            return {}  # another version of PyTorch keeps them elsewhere


def _gathered(divided: Any) -> object:
    """The gathered form of a parameter; None before the first time."""
    return getattr(divided, "_unsharded_param", None)


def _divided(module: nn.Module) -> Iterator[Any]:
    """FSDP2's records of the parameters that it divides within a module."""
    for part in module.modules():
        if _is_a(part, _FSDP2):
            fsdp: Any = part
            state = fsdp._get_fsdp_state()
            # PyTorch before 2.12 has one group.
            groups = getattr(state, "_fsdp_param_groups", None) or [state._fsdp_param_group]
            for group in groups:
                yield from () if group is None else group.fsdp_params


def refused_division(given: object) -> str | None:
    """How a module is divided, if it is in a way that bitfold does not read.

    Args:
        given: a module, or another object in its place.

    Returns:
        The end of an error message: what it is, and what to use; None if it is none of these.
    """
    if any(kind.__name__ == _STAGE for kind in type(given).__mro__):
        return "a pipeline stage. Pass its own part of the layers, stage.submod, in each process"
    parts = given.modules() if isinstance(given, nn.Module) else ()
    if any(_is_a(part, _FSDP1) for part in parts):
        return (
            "a FullyShardedDataParallel (FSDP1), whose flat parameters mix tensors. Divide the "
            "module by torch.distributed.fsdp.fully_shard (FSDP2)"
        )
    return None


def class_of(module: object) -> type:
    """The class of a module before ``fully_shard``, which gives it a class of its own.

    >>> class_of(nn.ReLU()).__name__
    'ReLU'
    """
    return next(kind for kind in type(module).__mro__ if not _is_from_fsdp(kind))


def _is_from_fsdp(kind: type) -> bool:
    """Whether a class is ``FSDPModule``, or one that ``fully_shard`` makes of it and a module's."""
    return any(base.__name__ == _FSDP2 for base in kind.__mro__)


def _is_a(module: object, name: str) -> bool:
    kinds = type(module).__mro__
    return any(kind.__name__ == name and kind.__module__.startswith(_WHERE) for kind in kinds)

"""Modules whose parameters FSDP2 (``torch.distributed.fsdp.fully_shard``) divides among processes.

PyTorch's classes are known by their full names or looked up where they are loaded already: to
import them takes seconds, and without them no module is divided.
"""

from __future__ import annotations

import sys
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
    for part in module.modules():
        if _is_a(part, _FSDP2):
            fsdp: Any = part
            fsdp.reshard()


def is_gathered(held: object, kept: object, module: nn.Module) -> bool:
    """Whether a module holds the gathered form of a sharded parameter in its place.

    FSDP2 exchanges them between a forward and a backward pass.

    Args:
        held: by the module, or a part of it, now.
        kept: the parameter that it held.
        module: all that was divided together.
    """
    if not (isinstance(held, Tensor) and isinstance(kept, Tensor)):
        return False
    if not is_sharded(kept) or is_sharded(held) or held.shape != kept.shape:
        return False
    try:
        return any(one is held for one in _gathered_parameters(module))
    except AttributeError:
        return True  # another version of PyTorch keeps them elsewhere


def _gathered_parameters(module: nn.Module) -> list[Tensor]:
    """The gathered forms of all parameters, which FSDP2 makes once and uses again."""
    found: list[Any] = []
    for part in module.modules():
        if _is_a(part, _FSDP2):
            fsdp: Any = part
            state = fsdp._get_fsdp_state()
            # PyTorch before 2.12 has one group.
            groups = getattr(state, "_fsdp_param_groups", None) or [state._fsdp_param_group]
            items = [item for group in groups if group is not None for item in group.fsdp_params]
            found += [getattr(item, "_unsharded_param", None) for item in items]
    return found


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

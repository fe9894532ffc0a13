"""Modules within wrappers: data-parallel, compiled, averaged, checkpointed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from torch import nn

# By the full names of their classes, since importing some of them takes seconds: the attribute in
# which each class keeps the module.
_WRAPPERS: Final = {
    "torch.nn.parallel.distributed.DistributedDataParallel": "module",
    "torch.nn.parallel.data_parallel.DataParallel": "module",
    "torch.optim.swa_utils.AveragedModel": "module",
    "torch._dynamo.eval_frame.OptimizedModule": "_orig_mod",
    "torch.distributed.algorithms._checkpoint.checkpoint_wrapper.ActivationWrapper": (
        "_checkpoint_wrapped_module"
    ),
    "lightning.fabric.wrappers._FabricModule": "_original_module",
    "lightning_fabric.wrappers._FabricModule": "_original_module",
    "deepspeed.runtime.engine.DeepSpeedEngine": "module",
    "timm.utils.model_ema.ModelEma": "ema",
    "timm.utils.model_ema.ModelEmaV2": "module",
    "timm.utils.model_ema.ModelEmaV3": "module",
}


def unwrap(module: nn.Module) -> nn.Module:
    """The module within all wrappers around it; a module without a wrapper is returned itself.

    Wrappers are ``DataParallel``, ``DistributedDataParallel``, ``AveragedModel``, what
    ``torch.compile`` returns, checkpoint wrappers, and those of Lightning Fabric, DeepSpeed and
    timm. They compute with the parameters of the module that they hold.

    >>> network = nn.Linear(2, 3)
    >>> unwrap(nn.DataParallel(network)) is network
    True
    """
    *_, innermost = layers_of(module)
    return innermost


def layers_of(module: nn.Module) -> Iterator[nn.Module]:
    """Yield a module, the module that it wraps, and so on to the innermost."""
    yield module
    while (attribute := _attribute_of(module)) is not None:
        module = getattr(module, attribute)
        yield module


def plain_names(module: nn.Module) -> Callable[[str], str]:
    """A function that removes wrappers *within* a module from the names of its tensors.

    A module whose parts were wrapped one by one then has the names of the same module without
    wrappers. If two names would become the same, the names stay as they are.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.DataParallel(nn.Linear(3, 1)))
    >>> [plain_names(network)(name) for name, _ in network.named_parameters()]
    ['0.weight', '0.bias', '1.weight', '1.bias']
    """
    dropped = {
        f"{path}.{attribute}" if path else attribute
        for path, part in module.named_modules(remove_duplicate=False)
        if (attribute := _attribute_of(part)) is not None
    }
    if not dropped:
        return _unchanged

    def plain(name: str) -> str:
        parts = name.split(".")
        paths = [".".join(parts[: number + 1]) for number in range(len(parts))]
        return ".".join(
            part for part, path in zip(parts, paths, strict=True) if path not in dropped
        )

    tensors = (*module.named_parameters(), *module.named_buffers())
    names = {name for name, _ in tensors}
    return plain if len({plain(name) for name in names}) == len(names) else _unchanged


def _unchanged(name: str) -> str:
    return name


def _attribute_of(module: nn.Module) -> str | None:
    """The attribute in which a wrapper keeps its module; None if the module is no wrapper."""
    for kind in type(module).__mro__:
        attribute = _WRAPPERS.get(f"{kind.__module__}.{kind.__qualname__}")
        if attribute is not None:
            return attribute
    return None

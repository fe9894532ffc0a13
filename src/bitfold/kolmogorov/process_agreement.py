"""The agreement of several processes on their initial values."""

from typing import Any

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from bitfold.kolmogorov.step_counter import StepCounter


def unwrap(
    module: nn.Module, group: dist.ProcessGroup | None
) -> tuple[nn.Module, dist.ProcessGroup | None]:
    """The module within a ``DistributedDataParallel``, and its processes if no group is given.

    Args:
        module: any module.
        group: processes that the user asked for.
    """
    if not isinstance(module, DistributedDataParallel):
        return module, group
    # The group and the module are attributes that PyTorch leaves without types.
    wrapped: Any = module
    return wrapped.module, group or wrapped.process_group


def agree(learned: nn.Module, counter: StepCounter | None, group: dist.ProcessGroup | None) -> None:
    """Copy the first process's initial values to all processes, as data-parallel training does.

    Args:
        learned: has the parameters and buffers to copy, at least one.
        counter: of the draws, copied too.
        group: processes; None: nothing is copied.
    """
    if group is None:
        return
    source = dist.get_global_rank(group, 0)
    own = [*learned.parameters(), *learned.buffers()]
    if counter is not None:
        own.append(counter.get_extra_state().to(own[0].device))
    for item in own:
        dist.broadcast(item.detach(), source, group=group)
    if counter is not None:
        counter.set_extra_state(own[-1])

"""The agreement of several processes on their initial values."""

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from bitfold.kolmogorov.step_counter import StepCounter
from bitfold.runtime.wrapped_modules import layers_of


def group_of(module: nn.Module) -> dist.ProcessGroup | None:
    """The processes of a ``DistributedDataParallel``, also within other wrappers; else None."""
    for layer in layers_of(module):
        if isinstance(layer, DistributedDataParallel):
            # An attribute that PyTorch leaves without types.
            group: dist.ProcessGroup = layer.process_group
            return group
    return None


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

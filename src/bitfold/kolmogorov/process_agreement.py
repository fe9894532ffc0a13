"""What several processes must have alike before they begin."""

import torch.distributed as dist
from torch import nn

from bitfold.kolmogorov.step_counter import StepCounter


def agree(learned: nn.Module, counter: StepCounter | None, group: dist.ProcessGroup | None) -> None:
    """Take the first process's initial values everywhere, as data-parallel training does.

    Source: none, ours.

    Args:
        learned: whose parameters and buffers are to agree; there is at least one.
        counter: of what is drawn, to agree too.
        group: processes; None: there is nothing to agree on.
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

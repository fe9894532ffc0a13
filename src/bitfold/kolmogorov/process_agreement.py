"""The agreement of several processes on their initial values."""

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.directions import directions
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor
from bitfold.kolmogorov.step_counter import StepCounter
from bitfold.kolmogorov.weights.division import check_whole
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.runtime.sharding.sharded_modules import is_divided
from bitfold.runtime.wrapped_modules import layers_of


def group_of(module: nn.Module) -> dist.ProcessGroup | None:
    """The processes of a ``DistributedDataParallel``, also within other wrappers; else None."""
    for layer in layers_of(module):
        if isinstance(layer, DistributedDataParallel):
            # An attribute that PyTorch leaves without types.
            group: dist.ProcessGroup = layer.process_group
            return group
    return None


def is_shared(module: nn.Module) -> bool:
    """Whether several processes hold or describe a module's weights together."""
    return group_of(module) is not None or is_divided(module)


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


def check_division(
    table: ParameterTable,
    predictor: WeightPredictor,
    group: dist.ProcessGroup | None,
    quantise: str | None,
    sample: int | None,
) -> None:
    """Refuse settings that do not go together when weights or work are divided.

    Args:
        table: the described parameters.
        predictor: of the loss.
        group: that was passed to the loss, or that of data-parallel training.
        quantise: as it was passed to the loss.
        sample: likewise.

    Raises:
        KolmogorovError: if ``quantise``, a group or the predictor does not go with parameters that
            ``fully_shard`` divides; or if a sample or a group does not go with the predictor.
    """
    given = {"sample": sample, "process_group": group}
    parts = [name for name, item in given.items() if item is not None]
    if predictor.needs_all_weights and parts:
        raise KolmogorovError(
            f"Cannot make a Kolmogorov loss: expected neither a sample nor training in several "
            f"processes with predictor={predictor.label!r}, which predicts each weight from all "
            f"weights before it, got a {parts[0]}. Choose predictor='row_column'."
        )
    if table.shards.is_whole:
        return
    if group is not None:
        raise KolmogorovError(
            "Cannot make a Kolmogorov loss: expected no process_group beside parameters that "
            "fully_shard divides, whose processes are known, got one. Leave it out."
        )
    if quantise is not None:
        advice = "Leave out quantise, or train with DistributedDataParallel."
        check_whole(table.shards, "train with rounded weights", advice)
    if not predictor.takes_shards:
        raise KolmogorovError(
            "Cannot make a Kolmogorov loss: expected predictor='row_column', 'per_tensor' or "
            "'coordinate' for parameters that fully_shard divides, got "
            f"{predictor.label}. Choose one of these."
        )
    described = set(map(id, table.parameters))
    if any(id(item) in described for item, _ in directions(table.module)):
        check_whole(table.shards, "describe weight_norm", "Leave out weight_norm, or exclude it.")

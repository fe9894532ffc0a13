"""The whole state of a session as tensors and facts, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from bitfold.errors import CheckpointError
from bitfold.targets import Split
from bitfold.training.config.config_file import config_toml
from bitfold.training.config.continuation import agree, predictor_settings, steering_settings
from bitfold.training.run.stored_kolmogorov import configuration_of, first_line, load_predictor
from bitfold.training.step.learner import Learner
from bitfold.training.step.optimizers import keeps_state
from bitfold.training.store.checkpoints import Checkpoint, checkpoint_path
from bitfold.training.store.stored_weights import check_weights, shapes_of
from bitfold.training.watch.oversight import Oversight


def capture(
    epoch: int,
    learner: Learner,
    split: Split,
    oversight: Oversight,
    validation_loss: float | None,
    *,
    num_changes: int = 0,
) -> Checkpoint:
    """Return the state that a continued run needs, after an epoch.

    The tensors are the learner's own, so its next step changes them. ``num_changes`` counts the
    changes of the run that have acted.
    """
    tensors = {f"network.{n}": t for n, t in learner.network.state_dict().items()}
    if learner.kolmogorov is not None:
        tensors |= {f"predictor.{n}": t for n, t in learner.kolmogorov.state_dict().items()}
    for name, optimizer in _named_optimizers(learner):
        tensors |= _optimizer_tensors(name, optimizer)
    tensors["random.order"] = learner.order.get_state()
    tensors["split.training"] = torch.from_numpy(split.training)
    tensors["split.validation"] = torch.from_numpy(split.validation)
    tensors |= oversight.history()
    schedule = learner.weight_schedule
    tensors[f"weight.{schedule.name}"] = schedule.history()
    if learner.learned_steps is not None:
        tensors |= {f"decoded.{n}": t for n, t in learner.objective.decoded_state().items()}
        tensors |= learner.learned_steps.history()
    facts = {"config": config_toml(learner.config), "validation_loss": validation_loss}
    if num_changes:
        facts["num_changes"] = num_changes
    return Checkpoint(epoch, tensors, facts)


def restore(
    checkpoint: Checkpoint,
    learner: Learner,
    oversight: Oversight,
    place: Path,
    *,
    same_points: bool = True,
) -> None:
    """Load a state from `capture` into a learner, whose configuration may have changed.

    State that the changed settings invalidate is reinitialised: an optimiser of another kind, a
    weight predictor that is new or configured differently, and the history of the observers once
    a setting that steers training has changed.

    Args:
        checkpoint: the state.
        learner: a new learner of the changed configuration.
        oversight: its observers.
        place: folder of the run, for errors.
        same_points: whether target and points are those of the state; if not, the history of the
            observers is reinitialised too.

    Raises:
        CheckpointError: the state belongs to another network, or is not a state of a session.
    """
    weights = checkpoint.within("network")
    check_weights(shapes_of(learner.network), weights, place)
    try:
        before, now = configuration_of(checkpoint), learner.config
        learner.network.load_state_dict(weights)
        has_predictor = learner.kolmogorov is not None and agree(before, now, predictor_settings())
        if has_predictor and before.has_kolmogorov and learner.kolmogorov is not None:
            load_predictor(checkpoint, learner.kolmogorov, place)
            if learner.learned_steps is not None:
                learner.learned_steps.restore(checkpoint.tensors)
        for name, optimizer in _named_optimizers(learner):
            is_kept = keeps_state(before, now) if "network" in name else has_predictor
            if is_kept:
                _restore_optimizer(checkpoint.within(name), optimizer)
        weights_of_k = checkpoint.within("weight")
        if learner.weight_schedule.name in weights_of_k:
            learner.weight_schedule.restore(weights_of_k[learner.weight_schedule.name])
        is_same = same_points and agree(before, now, steering_settings())
        oversight.restore(checkpoint.tensors, is_same=is_same)
        learner.order.set_state(checkpoint.tensors["random.order"])
    except (LookupError, ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        raise CheckpointError(
            f"Cannot continue {place}: its checkpoint {checkpoint_path(Path(), checkpoint.epoch)} "
            f"does not fit ({first_line(error)})."
        ) from None


def check_split(checkpoint: Checkpoint, split: Split, place: Path) -> None:
    """Refuse a folder whose split differs from the split that the checkpoint was trained on.

    Raises:
        CheckpointError: the points differ.
    """
    stored = checkpoint.within("split")
    for name, points in (("training", split.training), ("validation", split.validation)):
        if name not in stored or not np.array_equal(stored[name].numpy(), points):
            raise CheckpointError(
                f"Cannot continue {place}: its {name} points are not its checkpoint's. Restore "
                "split.safetensors from a copy of the run."
            )


def _named_optimizers(learner: Learner) -> Iterator[tuple[str, Optimizer]]:
    for number, optimizer in enumerate(learner.optimizers):
        yield f"optimizer.network{number}", optimizer
    for optimizer in learner.predictor_optimizers:
        yield "optimizer.predictor", optimizer


def _optimizer_tensors(name: str, optimizer: Optimizer) -> dict[str, Tensor]:
    states = optimizer.state_dict()["state"]
    return {
        f"{name}.{index}.{key}": value
        if isinstance(value, Tensor)
        else torch.tensor(float(value), device="cpu")
        for index, state in states.items()
        for key, value in state.items()
        if value is not None
    }


def _restore_optimizer(tensors: dict[str, Tensor], optimizer: Optimizer) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        if tensor.shape not in ((), parameters[int(index)].shape):
            raise ValueError(f"the optimiser's {key} of parameter {index} has another shape")
        states.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})

"""The whole state of a training as tensors and facts, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from bitfold.errors import CheckpointError
from bitfold.targets import Split
from bitfold.training.checkpoints import Checkpoint
from bitfold.training.configuration import Config, config_toml
from bitfold.training.learner import Learner
from bitfold.training.run import check_same_shapes
from bitfold.training.watchdogs import Watchdog


def capture(
    epoch: int,
    learner: Learner,
    split: Split,
    watchdogs: list[Watchdog],
    validation_loss: float | None,
) -> Checkpoint:
    """Return everything that a continued run needs, as it is after an epoch."""
    tensors = {f"network.{n}": t for n, t in learner.network.state_dict().items()}
    if learner.kolmogorov is not None:
        tensors |= {f"predictor.{n}": t for n, t in learner.kolmogorov.state_dict().items()}
    for name, optimizer in _named_optimizers(learner):
        tensors |= _optimizer_tensors(name, optimizer)
    tensors["random.order"] = learner.order.get_state()
    tensors["random.torch"] = torch.get_rng_state()
    tensors["split.training"] = torch.from_numpy(split.training)
    tensors["split.validation"] = torch.from_numpy(split.validation)
    tensors |= {f"watchdog.{w.name}": w.history() for w in watchdogs}
    facts = {"config": config_toml(learner.config), "validation_loss": validation_loss}
    return Checkpoint(epoch, tensors, facts)


def restore(checkpoint: Checkpoint, before: Config, learner: Learner, place: Path) -> None:
    """Take up a state that `capture` gave.

    An optimiser of another kind, or a predictor that the run did not have, begins afresh.

    Args:
        before: the configuration under which the checkpoint was written.
        place: the folder, for errors.

    Raises:
        CheckpointError: the state belongs to another network.
    """
    weights = checkpoint.within("network")
    check_same_shapes(learner.network, weights, place)
    learner.network.load_state_dict(weights)
    predictor = checkpoint.within("predictor")
    if learner.kolmogorov is not None and predictor:
        try:
            learner.kolmogorov.load_state_dict(predictor)
        except RuntimeError:
            raise CheckpointError(
                f"Cannot continue from {place}: its weight predictor has another shape."
            ) from None
    for name, optimizer in _named_optimizers(learner):
        is_predictor = name == "optimizer.predictor"
        if is_predictor or before.optimizer == learner.config.optimizer:
            _restore_optimizer(checkpoint.within(name), optimizer)
    learner.order.set_state(checkpoint.tensors["random.order"])
    torch.set_rng_state(checkpoint.tensors["random.torch"])


def restore_watchdogs(checkpoint: Checkpoint, watchdogs: list[Watchdog]) -> None:
    """Give the watchdogs their memory back."""
    histories = checkpoint.within("watchdog")
    for watchdog in watchdogs:
        if watchdog.name in histories:
            watchdog.restore(histories[watchdog.name])


def check_split(checkpoint: Checkpoint, split: Split, place: Path) -> None:
    """Refuse a folder whose split is not the one that the checkpoint was trained on.

    Raises:
        CheckpointError: the points differ.
    """
    stored = checkpoint.within("split")
    for name, points in (("training", split.training), ("validation", split.validation)):
        if not np.array_equal(stored[name].numpy(), points):
            raise CheckpointError(
                f"Cannot continue from {place}: its {name} points are not its checkpoint's. Restore "
                "split.safetensors."
            )


def _named_optimizers(learner: Learner) -> Iterator[tuple[str, Optimizer]]:
    for number, optimizer in enumerate(learner.optimizers):
        yield f"optimizer.network{number}", optimizer
    for optimizer in learner.predictor_optimizers:
        yield "optimizer.predictor", optimizer


def _optimizer_tensors(name: str, optimizer: Optimizer) -> dict[str, Tensor]:
    states = optimizer.state_dict()["state"]
    return {
        f"{name}.{index}.{key}": value if isinstance(value, Tensor) else torch.tensor(float(value))
        for index, state in states.items()
        for key, value in state.items()
        if value is not None
    }


def _restore_optimizer(tensors: dict[str, Tensor], optimizer: Optimizer) -> None:
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        states.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})

"""The Kolmogorov loss of a run, taken up again from a checkpoint."""

from __future__ import annotations

import tomllib
from pathlib import Path

import torch
from torch import Tensor

from bitfold.errors import CheckpointError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.networks import PolytopeNet
from bitfold.training.config.config_file import config_from_mapping
from bitfold.training.config.configuration import Config
from bitfold.training.step.construction import build_kolmogorov
from bitfold.training.step.learned_steps import FINISH_FACTS
from bitfold.training.store.checkpoints import Checkpoint


def configuration_of(checkpoint: Checkpoint) -> Config:
    """Return what a checkpoint was written under, whatever its run's file says by now.

    Raises:
        LookupError, ValueError: it does not say, or what it says is no configuration.
    """
    return config_from_mapping(tomllib.loads(checkpoint.facts["config"]), place="a checkpoint")


def restored_kolmogorov(
    checkpoint: Checkpoint, network: PolytopeNet, place: Path
) -> KolmogorovLoss | None:
    """Return what a checkpoint holds of K, for the network as it was then.

    Args:
        checkpoint: of a run.
        network: with the checkpoint's weights.
        place: of the checkpoint's run, for errors.

    Returns:
        The loss, in evaluation mode; None if the run had none when the checkpoint was written.

    Raises:
        CheckpointError: it holds another predictor than its configuration says.
    """
    try:
        config = configuration_of(checkpoint)
        if not config.has_kolmogorov:
            return None
        kolmogorov = build_kolmogorov(config, network, torch.Generator().manual_seed(config.seed))
        kolmogorov.load_state_dict(predictor_state(checkpoint, kolmogorov))
        if FINISH_FACTS in checkpoint.tensors:
            kolmogorov.predictor_bits = int(checkpoint.tensors[FINISH_FACTS][1])
    except (LookupError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"Cannot load K of {place} at epoch {checkpoint.epoch}: expected a checkpoint with its "
            f"predictor, got one that does not fit ({reason}). Choose another epoch."
        ) from None
    return kolmogorov.eval()


def predictor_state(checkpoint: Checkpoint, kolmogorov: KolmogorovLoss) -> dict[str, Tensor]:
    """Return what it has learned, and its count of steps if both count them.

    Whether steps are counted depends on ``kolmogorov_every``, which a continued run may change.
    """
    own = kolmogorov.state_dict()
    counts = {name: tensor for name, tensor in own.items() if name.startswith("counter.")}
    kept = checkpoint.within("predictor")
    learned = {n: t for n, t in kept.items() if n in own or not n.startswith("counter.")}
    return counts | learned

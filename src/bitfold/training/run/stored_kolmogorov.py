"""The Kolmogorov loss of a run, read from a checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from bitfold.errors import CheckpointError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.networks import PolytopeNet
from bitfold.training.config.config_file import config_of_text
from bitfold.training.config.configuration import Config
from bitfold.training.step.construction import build_kolmogorov
from bitfold.training.step.learned_steps import FINISH_FACTS, finished_bits
from bitfold.training.store.checkpoints import Checkpoint
from bitfold.training.store.stored_weights import check_weights, shapes_of


def configuration_of(checkpoint: Checkpoint) -> Config:
    """Return the configuration in a checkpoint; that of its run may have changed since.

    Raises:
        LookupError, ValueError: the checkpoint holds no valid configuration.
    """
    return config_of_text(checkpoint.facts["config"], place="its configuration")


def restored_kolmogorov(
    checkpoint: Checkpoint, network: PolytopeNet, place: Path
) -> KolmogorovLoss | None:
    """Return the K of a checkpoint, for its network.

    Args:
        checkpoint: a checkpoint of a run.
        network: the network with the checkpoint's weights.
        place: folder of the run, for errors.

    Returns:
        The loss, in evaluation mode; None if the run had no K when the checkpoint was written.

    Raises:
        CheckpointError: the checkpoint's predictor does not match its configuration.
    """
    try:
        config = configuration_of(checkpoint)
        if not config.has_kolmogorov:
            return None
        kolmogorov = build_kolmogorov(config, network, torch.Generator().manual_seed(config.seed))
        load_predictor(checkpoint, kolmogorov, place)
        if FINISH_FACTS in checkpoint.tensors:
            kolmogorov.predictor_bits = finished_bits(checkpoint.tensors[FINISH_FACTS])
    except (LookupError, ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        reason = first_line(error)
        raise CheckpointError(
            f"Cannot load K of {place} at epoch {checkpoint.epoch}: expected the predictor of "
            f"its configuration, got another ({reason}). Choose another epoch."
        ) from None
    return kolmogorov.eval()


def load_predictor(checkpoint: Checkpoint, kolmogorov: KolmogorovLoss, place: Path) -> None:
    """Load what K had learned when the checkpoint was written.

    Raises:
        CheckpointError: it is that of another predictor; the message names the first tensor.
    """
    state = predictor_state(checkpoint, kolmogorov)
    check_weights(shapes_of(kolmogorov), state, place, "K's state")
    kolmogorov.load_state_dict(state)


def first_line(error: Exception) -> str:
    """Return the first line of an exception's text."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def predictor_state(checkpoint: Checkpoint, kolmogorov: KolmogorovLoss) -> dict[str, Tensor]:
    """Return the learned state of K, with the checkpoint's count of steps if both count steps.

    Steps are counted only if ``kolmogorov_every`` is above 1, which a continued run may change.
    """
    own = kolmogorov.state_dict()
    counts = {name: tensor for name, tensor in own.items() if name.startswith("counter.")}
    kept = checkpoint.within("predictor")
    learned = {n: t for n, t in kept.items() if n in own or not n.startswith("counter.")}
    return counts | learned

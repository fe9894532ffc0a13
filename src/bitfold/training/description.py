"""The Kolmogorov loss of a run: made for its network, and taken up again from a checkpoint."""

from __future__ import annotations

import tomllib
from pathlib import Path

import torch
from torch import Tensor

from bitfold.errors import CheckpointError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.networks import PolytopeNet
from bitfold.training.checkpoints import Checkpoint
from bitfold.training.config.configuration import Config, config_from_mapping

#: In a checkpoint: whether steps and predictor are frozen, the predictor's bits, the best score.
FINISH_FACTS = "steps.facts"


def build_kolmogorov(
    config: Config, network: PolytopeNet, generator: torch.Generator
) -> KolmogorovLoss:
    """Return the loss that a configuration asks for, on the network's device.

    Args:
        config: one with K.
        network: to describe.
        generator: of the predictor's first values, and of what is drawn in training.
    """
    settings = config.kolmogorov_settings
    limits = (config.kolmogorov_weight_min, config.kolmogorov_weight_max)
    is_network = settings.kolmogorov_predictor == "coordinate"
    return KolmogorovLoss(
        network,
        predictor=settings.kolmogorov_predictor,
        predictor_shape=config.predictor_shape if is_network else None,
        kind=config.kolmogorov_loss_type if is_network else None,
        bins=config.kolmogorov_bins,
        weight_range="auto" if settings.kolmogorov_range == "auto" else limits,
        targets=settings.kolmogorov_targets,
        temperature=config.kolmogorov_temperature,
        predictor_bits=config.kolmogorov_predictor_bits,
        every=config.kolmogorov_every,
        generator=generator,
        quantise="learned" if config.is_quantised else None,
    )


def side_bits(config: Config, kolmogorov: KolmogorovLoss) -> float:
    """Return the bits of a description that no lambda changes."""
    changing = {"weights", "out_of_range"}
    if config.is_quantised and config.kolmogorov_settings.kolmogorov_predictor != "coordinate":
        changing.add("predictor")  # rows and columns come and go, and with them their scales
    items = kolmogorov.bits().items
    return sum(bits for name, bits in items.items() if name not in changing)


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

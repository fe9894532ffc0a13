"""The network of a checkpoint file, read without the folder of its run."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from bitfold.errors import CheckpointError, ConfigError
from bitfold.networks import Encoding, PolytopeNet
from bitfold.training.config.config_file import config_of_text
from bitfold.training.config.configuration import Config
from bitfold.training.store.checkpoints import read_checkpoint
from bitfold.training.store.stored_weights import check_weights, shapes_of, trained_weights

_WEIGHT = re.compile(r"layers\.(\d{1,9})\.weight")


def read_network(path: Path) -> tuple[PolytopeNet, Config]:
    """Read a checkpoint's network.

    Args:
        path: the checkpoint file, which also holds the configuration.

    Returns:
        The network, in evaluation mode, and the configuration of its run.

    Raises:
        CheckpointError: the file is missing or damaged, or holds no state of a session.
    """
    checkpoint = read_checkpoint(path)
    weights = trained_weights(checkpoint)
    try:
        config = config_of_text(checkpoint.facts["config"], place="its configuration")
        num_encoded, out_features = _features(weights)
        in_features = Encoding.parse(config.encoding).in_features(num_encoded)
        network = PolytopeNet(
            in_features,
            config.shape,
            out_features,
            activation=config.activation,
            final_activation=config.final_activation,
            encoding=config.encoding,
        )
    except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
        raise CheckpointError(
            f"Cannot read checkpoint {path}: expected the network of a training, got another "
            f"({str(error)[:100]}). Give a checkpoint of a run."
        ) from None
    check_weights(shapes_of(network), weights, path)
    network.load_state_dict(weights)
    return network.eval(), config


def _features(weights: dict[str, Tensor]) -> tuple[int, int]:
    """Return the inputs of the first layer and the outputs of the last layer."""
    found = {int(m[1]): t for name, t in weights.items() if (m := _WEIGHT.fullmatch(name))}
    if not found or any(item.ndim != 2 for item in found.values()):
        raise ValueError("no layers")
    return found[min(found)].shape[1], found[max(found)].shape[0]

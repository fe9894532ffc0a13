"""The weights of a checkpoint, checked against the network that takes them."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from bitfold.errors import CheckpointError
from bitfold.networks import PolytopeNet
from bitfold.training.store.checkpoints import Checkpoint


def trained_weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Return the weights that training computed with: the decoded ones with learned steps."""
    return checkpoint.within("decoded") or checkpoint.within("network")


def check_same_shapes(network: PolytopeNet, weights: dict[str, Tensor], place: Path) -> None:
    """Refuse weights of another network.

    Raises:
        CheckpointError: a name or a shape differs; the message names the first.
    """
    own = network.state_dict()
    for name in [*own, *weights]:
        have = tuple(weights[name].shape) if name in weights else None
        want = tuple(own[name].shape) if name in own else None
        if have != want:
            raise CheckpointError(
                f"Cannot load the weights of {place}: expected {name} of shape {want}, got {have}. "
                "The weights belong to another network."
            )

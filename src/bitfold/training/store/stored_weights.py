"""The weights of a checkpoint, checked against the network that takes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from bitfold.errors import CheckpointError
from bitfold.training.store.checkpoints import Checkpoint


def trained_weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Return the weights that training computed with: the decoded ones with learned steps."""
    return checkpoint.within("decoded") or checkpoint.within("network")


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a module's tensors."""
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def check_weights(
    shapes: Mapping[str, tuple[int, ...]],
    weights: Mapping[str, Tensor],
    place: Path,
    what: str = "the weights",
) -> None:
    """Refuse weights of another module.

    Args:
        shapes: names and shapes of the module's tensors.
        weights: the tensors that were stored.
        place: where they come from, for errors.
        what: what they are, for errors.

    Raises:
        CheckpointError: a name or a shape differs, or a tensor holds no real numbers; the message
            names the first tensor.
    """
    for name in [*shapes, *weights]:
        have = tuple(weights[name].shape) if name in weights else None
        want = shapes.get(name)
        if have != want:
            raise CheckpointError(
                f"Cannot load {what} of {place}: expected {name[:100]} {_of(want)}, got "
                f"{_of(have)}. The weights belong to another network."
            )
        if weights[name].is_complex():
            raise CheckpointError(
                f"Cannot load {what} of {place}: expected {name} of real numbers, got "
                f"{weights[name].dtype}. Another program wrote them."
            )


def _of(shape: tuple[int, ...] | None) -> str:
    return "not to be there" if shape is None else f"of shape {shape}"

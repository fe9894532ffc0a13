"""Folds of an encoding: they are where its waves or grids bend, whatever the network learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from torch import nn

from bitfold.errors import PolytopeError
from bitfold.polytopes.lowering.lowered import Bend

EncodingFolds = Literal["plain", "faint", "none"]
"""How folds of an encoding are drawn: as all others, faintly, or not at all."""

ENCODING_FOLDS: Final = ("plain", "faint", "none")
#: How much faint folds cover of what others cover.
FAINT_SHARE: Final = 0.3


def num_encoding_layers(module: nn.Module, bends: Sequence[Bend]) -> int:
    """Return how many of the first layers of a partition are folds of an encoding.

    Each octave of triangle waves is a layer, and each level of grids is five.

    Args:
        module: the network; an encoding in it says so by its attribute ``is_encoding``,
            which is True.
        bends: the operations that bend, in order.
    """
    encodings = {
        name for name, part in module.named_modules() if getattr(part, "is_encoding", None) is True
    }
    count = 0
    while count < len(bends) and bends[count].place in encodings:
        count += 1
    return count


def layer_shares(num_layers: int, num_encoding_layers: int, how: EncodingFolds) -> list[float]:
    """Return how strongly the folds of each layer are drawn, from 0 to 1.

    Args:
        num_layers: of the partition.
        num_encoding_layers: how many of the first ones are folds of an encoding.
        how: these are drawn.

    Raises:
        PolytopeError: there is no such way.

    >>> layer_shares(3, 2, "faint"), layer_shares(3, 2, "none")
    ([0.3, 0.3, 1.0], [0.0, 0.0, 1.0])
    """
    if how not in ENCODING_FOLDS:
        raise PolytopeError(
            "Cannot draw folds of the encoding: expected encoding_folds to be one of "
            f"{', '.join(ENCODING_FOLDS)}, got {how!r}. Choose one of these."
        )
    share = {"plain": 1.0, "faint": FAINT_SHARE, "none": 0.0}[how]
    return [share if layer < num_encoding_layers else 1.0 for layer in range(num_layers)]

"""The numbers beside a bar: as many as fit the terminal, the most important first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bitfold import experiments

if TYPE_CHECKING:
    from bitfold.training import Metrics

_GAP = " "


@dataclass(frozen=True)
class Piece:
    """One number of a line.

    Args:
        text: the number with its name.
        rank: its importance; 0 is the last to be left out.
    """

    text: str
    rank: int


def fit_pieces(pieces: Sequence[Piece], width: int) -> str:
    """Return the pieces that fit beside each other, in their order, the most important first.

    Args:
        pieces: in the order of the line; empty texts are left out.
        width: number of characters of the line.

    >>> pieces = [Piece("3/s", 2), Piece("0:45 left", 0), Piece("22.31 dB", 1)]
    >>> fit_pieces(pieces, 22), fit_pieces(pieces, 20), fit_pieces(pieces, 12)
    ('3/s 0:45 left 22.31 dB', '0:45 left 22.31 dB', '0:45 left')
    """
    kept: list[Piece] = []
    for piece in sorted((one for one in pieces if one.text), key=lambda one: one.rank):
        used = sum(len(one.text) + len(_GAP) for one in kept)
        if used + len(piece.text) > width:
            break  # a less important piece would stand where a more important one is missing
        kept.append(piece)
    return _GAP.join(piece.text for piece in pieces if piece in kept)


def loss_pieces(metrics: Metrics) -> list[Piece]:
    """Return the losses of an epoch, in the order of a line.

    >>> [piece.text for piece in loss_pieces({"combined_loss": 0.5, "task_loss": 0.5,
    ...     "kolmogorov_loss": None, "kolmogorov_weight": None, "validation_loss": 0.3,
    ...     "psnr_db": 5.2})]
    ['5.20 dB', 'task 0.50000', 'validation 0.30000']
    """
    nats, weight = metrics["kolmogorov_loss"], metrics["kolmogorov_weight"]
    pieces = [Piece(quality(metrics), 1), Piece(f"task {loss(metrics['task_loss'])}", 2)]
    if nats is not None and weight is not None:
        pieces += [
            Piece(f"K {nats:.4f}", 3),
            Piece(f"lambda*K {weight * nats:.5f}", 6),
            Piece(f"combined {loss(metrics['combined_loss'])}", 5),
        ]
    return [*pieces, Piece(f"validation {loss(metrics['validation_loss'])}", 4)]


def loss(value: float | int | None) -> str:
    """Return a loss as it is shown; None stands for a value that is not finite."""
    return "not finite" if value is None else f"{value:.5f}"


def quality(metrics: Metrics) -> str:
    """Return PSNR or accuracy as it is shown; empty if neither was measured."""
    psnr_db = metrics.get("psnr_db")
    if psnr_db is not None:
        return experiments.psnr_text(psnr_db)
    if metrics.get("accuracy") is not None:
        return f"accuracy {metrics['accuracy']:.2%}"
    return ""

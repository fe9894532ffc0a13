"""What the panels of one task have in common: headings, marks and the folds drawn over them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from bitfold.render.colours import TRAINING_COLOUR, VALIDATION_COLOUR, Colour
from bitfold.render.frame.layout import PanelBox
from bitfold.render.frame.scene import Scene, Slice

Picture: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Heading:
    """The title of a panel, in several wordings, and how many panels' widths it takes.

    Args:
        wordings: the longest and best first.
        span: panels' widths, >= 1.
        swatch: a colour shown before the words.
        is_framed: whether a thin line goes around the panel.
    """

    wordings: tuple[str, ...]
    span: int = 1
    swatch: Colour | None = None
    is_framed: bool = True


@dataclass(frozen=True)
class Mark:
    """One line of the key: a sign and what it means.

    Args:
        wordings: what it means, the longest first.
        sign: a dot, a fold or a boundary across a dark and a light half, some colours in turn, or
            the colours of probabilities.
        colour: of the dot or fold; none for a fold that contrasts with what it crosses.
        colours: uint8 (k, 3), those in turn.
    """

    wordings: tuple[str, ...]
    sign: Literal["dot", "fold", "boundary", "colours", "probability"]
    colour: Colour | None = None
    colours: npt.NDArray[np.uint8] | None = None


POINT_MARKS: Final = (
    Mark(("training point", "training"), "dot", TRAINING_COLOUR),
    Mark(("validation point", "validation"), "dot", VALIDATION_COLOUR),
)


@dataclass(frozen=True)
class View:
    """What the panel with folds shows, where it is not the plain prediction.

    Args:
        headings: of the panel with folds, the longest first; none: the usual.
        marks: lines of the key in place of the plain fold's; none: the usual.
        layers: names of layers whose folds get a panel each; none: the usual panels.
        more_marks: further lines of the key.
    """

    headings: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    layers: tuple[str, ...] = ()
    more_marks: tuple[Mark, ...] = ()


class PanelSet(ABC):
    """The panels of one slice for one task; draws what stays once and the rest every time."""

    view = View()

    @property
    @abstractmethod
    def headings(self) -> tuple[Heading, ...]:
        """One for each panel, in order."""

    @abstractmethod
    def marks(self, num_outputs: int) -> tuple[Mark, ...]:
        """The lines of the key, as many for every number of outputs."""

    @property
    @abstractmethod
    def num_outputs(self) -> tuple[int, ...]:
        """How many outputs of a network these panels can show."""

    @property
    @abstractmethod
    def fold_panel(self) -> int:
        """Which of the panels shows the folds."""

    @abstractmethod
    def draw_scene(self, canvas: Picture, boxes: Sequence[PanelBox], scene: Scene) -> None:
        """Draw what stays the same from frame to frame."""

    @abstractmethod
    def draw_slice(self, canvas: Picture, boxes: Sequence[PanelBox], piece: Slice) -> None:
        """Draw what the network says."""


def draw_ground(panel: Picture, piece: Slice) -> None:
    """Lay over a panel with folds what it shows in place of the prediction, if anything."""
    if piece.ground is not None:
        panel[:] = piece.ground


def draw_lines(panel: Picture, piece: Slice, colour: Colour | None) -> None:
    """Draw folds, and over them the decision boundary.

    Args:
        panel: uint8 (H, W, 3), changed in place.
        piece: what to draw.
        colour: of folds that have none of their own; None: as contrasts with the panel.
    """
    piece.ink.draw(panel, colour)
    for ink in piece.boundary:
        ink.draw(panel)

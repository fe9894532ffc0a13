"""The interface of a task's panels: headings, marks and drawing."""

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
    """The title of a panel, in several wordings, and the panel's width.

    Args:
        wordings: wordings from the longest, which is the best, to the shortest.
        span: width in panel widths, >= 1.
        swatch: colour shown before the title.
        is_framed: whether there is a thin line around the panel.
    """

    wordings: tuple[str, ...]
    span: int = 1
    swatch: Colour | None = None
    is_framed: bool = True


@dataclass(frozen=True)
class Mark:
    """One line of the key: a sign and its meaning.

    Args:
        wordings: the meaning, from the longest wording to the shortest.
        sign: a dot, a fold or a boundary across a dark and a light half, a row of colours, or the
            colour map of probabilities.
        colour: colour of the dot or fold; None for a fold that contrasts with its ground.
        colours: uint8 (k, 3), the row of colours.
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
    """What the panel with folds shows, if not the plain prediction.

    Args:
        headings: wordings of the panel's title, the longest first; empty: the usual.
        marks: lines of the key that replace the one of plain folds; empty: the usual.
        layers: names of layers whose folds get one panel each; empty: the usual panels.
        more_marks: further lines of the key.
    """

    headings: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    layers: tuple[str, ...] = ()
    more_marks: tuple[Mark, ...] = ()


class PanelSet(ABC):
    """The panels of one slice for one task."""

    view = View()

    @property
    @abstractmethod
    def headings(self) -> tuple[Heading, ...]:
        """The headings of the panels, in order."""

    @abstractmethod
    def marks(self, num_outputs: int) -> tuple[Mark, ...]:
        """Return the lines of the key; their count is the same for each number of outputs."""

    @property
    @abstractmethod
    def num_outputs(self) -> tuple[int, ...]:
        """The numbers of outputs that these panels can show."""

    @property
    @abstractmethod
    def fold_panel(self) -> int:
        """The index of the panel with folds."""

    @abstractmethod
    def draw_scene(self, canvas: Picture, boxes: Sequence[PanelBox], scene: Scene) -> None:
        """Draw the parts that are the same in all frames."""

    @abstractmethod
    def draw_slice(self, canvas: Picture, boxes: Sequence[PanelBox], piece: Slice) -> None:
        """Draw the network's output."""


def draw_ground(panel: Picture, piece: Slice) -> None:
    """Fill a panel with the slice's ground, if there is one that replaces the prediction."""
    if piece.ground is not None:
        panel[:] = piece.ground


def draw_lines(panel: Picture, piece: Slice, colour: Colour | None) -> None:
    """Draw folds, lightly where they are many, and over them the decision boundary.

    Args:
        panel: uint8 (H, W, 3), changed in place.
        piece: the slice to draw.
        colour: colour of folds without a palette; None: black or white, by contrast.
    """
    piece.fold_overlay.lightened().draw(panel, colour)
    for overlay in piece.boundary:
        overlay.draw(panel)

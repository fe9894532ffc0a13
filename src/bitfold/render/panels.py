"""What the panels of one task have in common: headings, marks and the folds drawn over them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from bitfold.render.colours import TRAINING_COLOUR, VALIDATION_COLOUR, Colour
from bitfold.render.layout import PanelBox
from bitfold.render.scene import Scene, Slice

Picture: TypeAlias = npt.NDArray[np.uint8]
Folds: TypeAlias = npt.NDArray[np.bool_]

# A panel whose shorter side reaches this is shown scaled down, where thinner folds would fade.
TWO_PIXEL_FOLDS_FROM_PX: Final = 1024
THREE_PIXEL_FOLDS_FROM_PX: Final = 2048


@dataclass(frozen=True)
class Heading:
    """The title of a panel, in several wordings, and how many panels' widths it takes.

    Source: none, ours.

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

    Source: none, ours.

    Args:
        wordings: what it means, the longest first.
        sign: a dot, a fold across a dark and a light half, or the colours of probabilities.
        colour: of the dot or fold; none for a fold that contrasts with what it crosses.
    """

    wordings: tuple[str, ...]
    sign: Literal["dot", "fold", "probability"]
    colour: Colour | None = None


POINT_MARKS: Final = (
    Mark(("training point", "training"), "dot", TRAINING_COLOUR),
    Mark(("validation point", "validation"), "dot", VALIDATION_COLOUR),
)


class PanelSet(ABC):
    """The panels of one slice for one task; draws what stays once and the rest every time.

    Source: none, ours.
    """

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


def thickened(folds: Folds) -> Folds:
    """Make folds as thick as a panel of this size needs.

    Source: none, ours.

    Args:
        folds: bool (H, W).

    Returns:
        bool (H, W): itself below 1024 pixels of the shorter side; two pixels thick from there, and
        three from 2048.

    >>> thickened(np.eye(2, dtype=np.bool_)).tolist()
    [[True, False], [False, True]]
    """
    shorter = min(folds.shape)
    if shorter < TWO_PIXEL_FOLDS_FROM_PX:
        return folds
    thick = folds.copy()
    thick[1:] |= folds[:-1]
    thick[:, 1:] |= folds[:, :-1]
    if shorter >= THREE_PIXEL_FOLDS_FROM_PX:
        thick[:-1] |= folds[1:]
        thick[:, :-1] |= folds[:, 1:]
    return thick

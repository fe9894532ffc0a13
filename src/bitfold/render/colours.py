"""Colours that can be told apart in print, on a projector and by colour-blind readers."""

from typing import Final, TypeAlias

import matplotlib
import numpy as np
import numpy.typing as npt

Colour: TypeAlias = tuple[int, int, int]

ORANGE: Final[Colour] = (230, 159, 0)
SKY_BLUE: Final[Colour] = (86, 180, 233)
BLUISH_GREEN: Final[Colour] = (0, 158, 115)
BLUE: Final[Colour] = (0, 114, 178)
VERMILLION: Final[Colour] = (213, 94, 0)
REDDISH_PURPLE: Final[Colour] = (204, 121, 167)

# A warm, almost white paper, from which a white panel still stands out.
PAPER: Final[Colour] = (247, 246, 243)
INK: Final[Colour] = (30, 30, 34)
MUTED: Final[Colour] = (102, 101, 98)
RULE: Final[Colour] = (172, 170, 164)
BLACK: Final[Colour] = (0, 0, 0)
WHITE: Final[Colour] = (255, 255, 255)

TRAINING_COLOUR: Final = SKY_BLUE
VALIDATION_COLOUR: Final = ORANGE
FOLD_COLOUR: Final = VERMILLION

# Colours of runs in a plot, in an order in which neighbours differ most. Yellow is too faint.
SERIES_COLOURS: Final = (BLUE, VERMILLION, BLUISH_GREEN, REDDISH_PURPLE, ORANGE, SKY_BLUE)

# Luma from which a colour counts as light: mid-grey. Vermillion, with luma 119, counts as dark.
LIGHT_LUMA: Final = 128


def probability_colours() -> npt.NDArray[np.uint8]:
    """Return the perceptually uniform colour map of probabilities.

    Source: Nunez, Anderton and Renslow (2018), "Optimizing colormaps with consideration for color
    vision deficiency" (cividis), as matplotlib ships it.

    Returns:
        uint8 (256, 3): row ``round(255 * p)`` is the RGB colour of probability p.

    >>> probability_colours().shape, luma(probability_colours()[[0, 255]]).tolist()
    ((256, 3), [28, 217])
    """
    rgba = matplotlib.colormaps["cividis"](np.arange(256), bytes=True)
    return np.ascontiguousarray(np.asarray(rgba, dtype=np.uint8)[:, :3])


def luma(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the brightness of RGB colours.

    Source: ITU-R BT.601, section 2.5.1, with weights rounded to 1/256.

    Args:
        rgb: uint8 (..., 3).

    Returns:
        uint8 (...), 0 to 255.

    >>> luma(np.array([[255, 255, 255], [213, 94, 0]], np.uint8)).tolist()
    [255, 119]
    """
    wide = rgb.astype(np.uint16)
    weighed = 77 * wide[..., 0] + 150 * wide[..., 1] + 29 * wide[..., 2]
    return (weighed >> 8).astype(np.uint8)


def contrasting(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return black for light colours and white for dark ones.

    Args:
        rgb: uint8 (..., 3).

    Returns:
        uint8 (..., 1), 0 or 255, which broadcasts over the three channels.

    >>> contrasting(np.array([[255, 240, 0], [0, 0, 90]], np.uint8)).tolist()
    [[0], [255]]
    """
    return np.where(luma(rgb) < LIGHT_LUMA, np.uint8(255), np.uint8(0))[..., None]

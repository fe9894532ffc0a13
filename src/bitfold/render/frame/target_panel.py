"""The panel with the target and the points of training and validation."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from bitfold.render.colours import (
    LIGHT_LUMA,
    TRAINING_COLOUR,
    VALIDATION_COLOUR,
    Colour,
    luma,
)
from bitfold.render.frame.panels import Picture
from bitfold.render.frame.scene import Scene
from bitfold.targets.classes import display_class_colours, with_display_colours

# Largest share of the panel under dots; with more points, dots shrink, then turn transparent.
LARGEST_DOT_SHARE: Final = 0.10
FAINTEST_DOT: Final = 0.30
# Points on nearly every pixel say nothing by their places, and would only tint the target.
EVERYWHERE, TINT = 0.9, 0.05
# A dot on light ground is darkened by this factor, which keeps its hue and adds contrast.
DARKENED: Final = 0.72
# (Shorter side of a panel from this on, diameter of a dot), in pixels.
DOT_DIAMETERS_PX: Final = ((1536, 5), (768, 3), (256, 2), (0, 1))


@dataclass(frozen=True, eq=False)
class _Dot:
    """The pixels of a dot relative to its centre, and their opacity."""

    offsets: npt.NDArray[np.intp]  # (pixels, 2), rows and columns
    strength: float


def scaled(picture: Picture, width: int, height: int, *, is_flat: bool = False) -> Picture:
    """Scale a picture to a panel: nearest pixels to enlarge it, means of pixels to shrink it.

    Args:
        picture: uint8 (h, w, 3).
        width: width of the panel.
        height: height of the panel.
        is_flat: whether colours stand for classes, so that they must not be mixed.

    Returns:
        uint8 (height, width, 3).

    >>> scaled(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), 4, 1)[0, :, 0].tolist()
    [0, 0, 3, 3]
    """
    own_height, own_width = picture.shape[:2]
    if not is_flat and (own_height > height or own_width > width):
        # Average along sides that shrink only; `nearest` enlarges the others.
        size = (min(own_width, width), min(own_height, height))
        shrunk = Image.fromarray(picture).resize(size, Image.Resampling.BOX)
        picture = np.asarray(shrunk, dtype=np.uint8)
    return nearest(picture, width, height)


def nearest(picture: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """Scale a raster: each new pixel takes the old pixel under its centre.

    >>> nearest(np.array([[1, 2]], np.uint8), 4, 1).tolist()
    [[1, 1, 2, 2]]
    """
    rows = centres(height, picture.shape[0])
    columns = centres(width, picture.shape[1])
    return np.ascontiguousarray(picture[rows[:, None], columns])


def centres(length: int, own_length: int) -> npt.NDArray[np.intp]:
    """Return, for each new pixel along a side, the old pixel under its centre.

    >>> centres(2, 4).tolist(), centres(4, 2).tolist()
    ([1, 3], [0, 0, 1, 1])
    """
    return (2 * np.arange(length, dtype=np.intp) + 1) * own_length // (2 * length)


def class_picture(scene: Scene, width: int, height: int) -> Picture:
    """Draw the target of a classification in colours that can be told apart.

    Args:
        scene: classes and class colours; pixels without a class keep their colour.
        width: width of the panel.
        height: height of the panel.

    Returns:
        uint8 (height, width, 3).

    >>> red = np.full((1, 1, 3), (255, 0, 0), np.uint8)
    >>> none = np.zeros((0, 2))
    >>> class_picture(Scene(red, none, none, class_colours=red[0]), 1, 1).tolist()
    [[[213, 94, 0]]]
    """
    shown = scaled(scene.picture, width, height, is_flat=True)
    if scene.class_colours is None:
        return shown
    if scene.classes is None:
        original = shown.copy()
        colours = display_class_colours(scene.class_colours)
        for own, colour in zip(scene.class_colours, colours, strict=True):
            shown[(original == own).all(axis=-1)] = colour
        return shown
    rows = centres(height, scene.classes.shape[0])
    columns = centres(width, scene.classes.shape[1])
    return with_display_colours(shown, scene.classes[rows[:, None], columns], scene.class_colours)


def draw_points(panel: Picture, scene: Scene) -> None:
    """Draw training points, and validation points over them, without hiding the target.

    Args:
        panel: uint8 (height, width, 3), changed in place.
        scene: the points; those outside [0, 1] are left out.

    >>> panel = np.zeros((4, 4, 3), np.uint8)
    >>> draw_points(panel, Scene(panel.copy(), np.array([[0.6, 0.1]]), np.zeros((0, 2))))
    >>> np.argwhere(panel[..., 2]).tolist()
    [[0, 2]]
    """
    training, validation = _cells(panel, scene.training), _cells(panel, scene.validation)
    dot = _dot(panel, len(training) + len(validation))
    ground = panel.copy()
    for cells, colour in ((training, TRAINING_COLOUR), (validation, VALIDATION_COLOUR)):
        _stamp(panel, cells, dot, colour, ground)


def _cells(panel: Picture, positions: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
    """Return rows and columns of the points in the panel, (N, 2)."""
    height, width = panel.shape[:2]
    inside = ((positions >= 0) & (positions <= 1)).all(axis=1)
    sides = np.array([width, height], dtype=np.float64)
    cells = np.minimum((positions[inside] * sides).astype(np.intp), [width - 1, height - 1])
    return np.asarray(cells[:, ::-1], dtype=np.intp)


def _dot(panel: Picture, num_points: int) -> _Dot:
    height, width = panel.shape[:2]
    area = height * width
    sizes = [diameter for least, diameter in DOT_DIAMETERS_PX if min(height, width) >= least]
    for diameter in sizes:
        offsets = _disc(diameter)
        if num_points * len(offsets) <= LARGEST_DOT_SHARE * area:
            return _Dot(offsets, 1.0)
    share = num_points / area
    if share > EVERYWHERE:
        return _Dot(_disc(1), TINT)
    return _Dot(_disc(1), max(FAINTEST_DOT, min(1.0, 2 * LARGEST_DOT_SHARE / share)))


def _disc(diameter: int) -> npt.NDArray[np.intp]:
    middle = (diameter - 1) / 2
    rows, columns = np.mgrid[:diameter, :diameter]
    is_in = (rows - middle) ** 2 + (columns - middle) ** 2 <= (diameter / 2) ** 2
    return np.asarray(np.argwhere(is_in) - (diameter - 1) // 2, dtype=np.intp)


def _stamp(
    panel: Picture, cells: npt.NDArray[np.intp], dot: _Dot, colour: Colour, ground: Picture
) -> None:
    """Draw a dot on each cell, in a darker tone if the ground is light."""
    height, width = panel.shape[:2]
    flat = (cells[:, None] + dot.offsets).reshape(-1, 2)
    rows, columns = flat[:, 0], flat[:, 1]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    rows, columns = rows[inside], columns[inside]
    is_light = luma(ground[rows, columns]) >= LIGHT_LUMA
    tone = np.where(is_light, np.float32(DARKENED), np.float32(1))
    ink = tone[:, None] * np.array(colour, dtype=np.float32)
    # Mixing with the ground, not the panel, keeps points on one pixel from adding up.
    mixed = dot.strength * ink + (1 - dot.strength) * ground[rows, columns]
    panel[rows, columns] = np.rint(mixed).astype(np.uint8)

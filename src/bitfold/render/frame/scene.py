"""The content of a frame: a constant scene, and slices of the network's output."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from bitfold.errors import RenderError
from bitfold.render.frame.line_compositing import LineOverlay

Task: TypeAlias = Literal["regression", "classification"]


@dataclass(frozen=True, eq=False)
class Scene:
    """The content of one slice that is the same in all frames.

    Args:
        picture: uint8 (h, w, 3), the target, of any size.
        training: float (N, 2), training points as fractions of the panel, x to the right and y
            downwards; those outside [0, 1] are not drawn.
        validation: float (M, 2), validation points likewise.
        smoothed: uint8 (h, w, 3), kernel smoothing of the training points; None: no such panel.
        caption: a few words that name this slice, such as ``t = 0.25``.
        classes: int (h, w), the class of each pixel, or -1 for none; classification only.
        class_colours: uint8 (K, 3), their colours in the picture; classification only.

    Raises:
        RenderError: an array has another shape or type.

    >>> Scene(np.zeros((2, 2, 3), np.uint8), np.zeros((0, 2)), np.zeros((0, 2))).caption
    ''
    """

    picture: npt.NDArray[np.uint8]
    training: npt.NDArray[np.floating]
    validation: npt.NDArray[np.floating]
    smoothed: npt.NDArray[np.uint8] | None = None
    caption: str = ""
    classes: npt.NDArray[np.integer] | None = None
    class_colours: npt.NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        for name, picture in (("picture", self.picture), ("smoothed", self.smoothed)):
            if picture is not None and not is_rgb(picture):
                raise RenderError(
                    f"Cannot draw a scene: expected {name} as uint8 (height, width, 3), "
                    f"got {picture.dtype} {picture.shape}. Convert it to RGB bytes."
                )
        for name, points in (("training", self.training), ("validation", self.validation)):
            if points.ndim != 2 or points.shape[1] != 2:
                raise RenderError(
                    f"Cannot draw a scene: expected {name} points as (N, 2), got {points.shape}. "
                    "Give x and y as fractions of the panel."
                )


@dataclass(frozen=True, eq=False)
class Slice:
    """The network's output on the raster of one panel.

    Args:
        values: float32 (H, W, outputs), at the panel's resolution; clipped to [0, 1], and NaN is
            drawn as 0.
        folds: bool (H, W), the pixels on folds; or an overlay of lines.
        ground: uint8 (H, W, 3), the picture under the folds; None: the prediction.
        boundary: lines of the decision boundary, drawn over the folds, in this order.
        layers: the folds of each layer, if each layer has a panel.
    """

    values: npt.NDArray[np.float32]
    folds: npt.NDArray[np.bool_] | LineOverlay
    ground: npt.NDArray[np.uint8] | None = None
    boundary: tuple[LineOverlay, ...] = ()
    layers: tuple[LineOverlay, ...] = ()

    @property
    def fold_overlay(self) -> LineOverlay:
        """The folds as an overlay of lines."""
        return (
            self.folds if isinstance(self.folds, LineOverlay) else LineOverlay.of_folds(self.folds)
        )


def is_rgb(picture: npt.NDArray[np.generic]) -> bool:
    """Return whether an array is a picture of RGB bytes with at least one pixel.

    >>> is_rgb(np.zeros((2, 2), np.uint8))
    False
    """
    return (
        picture.dtype == np.uint8
        and picture.ndim == 3
        and picture.shape[2] == 3
        and picture.size > 0
    )

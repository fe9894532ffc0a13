"""Settings that suit a picture: shape, encoding, rate, points and time, by its size and content."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from bitfold.networks import Encoding, most_visible_octaves
from bitfold.networks.encoding import MAX_LEVELS
from bitfold.targets import Target

#: The share of neighbouring pixels of different classes from which a drawing counts as detailed.
_DETAILED: Final = 0.01
# Minutes of a picture of no pixels, and for each 2^16 pixels more.
_LEAST_MINUTES, _MINUTES_EACH, _MOST_MINUTES = 1.0, 0.75, 5.0
# The finest grid has a cell for 4 pixels, and the first one 4 cells: 2^4 pixels are one level.
_COARSER: Final = 3
#: The share of pixels beyond which classes lose too much: thin letters, for example.
MOST_LOST: Final = 0.002
_WINDOW_PX = 5
# Small pictures, and those with many steps of brightness such as letters, get a cell for 2 pixels.
_SMALL_PX: Final = 384
_STEP, _SHARP = 0.25, 0.02
_LEVEL_FEATURES: Final = 2
_MOST_CLIP_LEVELS: Final = 4


@dataclass(frozen=True)
class PictureSettings:
    """Settings that suit a picture.

    Args:
        values: name of a setting of `bitfold.Config` to its value.
        reason: what was found of the picture, in words.
    """

    values: dict[str, Any]
    reason: str

    def __str__(self) -> str:
        named = ", ".join(f"{name} {value}" for name, value in self.values.items())
        return f"Settings for {self.reason}: {named}."


def picture_settings(target: Target, given: Collection[str] = ()) -> PictureSettings:
    """Choose settings by size, number of colours and edges of a picture or clip.

    Args:
        target: the picture or clip.
        given: names of settings that are chosen already. They are left out, and ``minutes`` is left
            out where ``epochs`` is given.

    Returns:
        The settings; they depend on the target and ``given`` alone.

    >>> from bitfold.targets import load_target
    >>> found = picture_settings(load_target("rgb-ring", size=64), given=["learning_rate"])
    >>> found.reason
    'a drawing of 3 colours, 64 x 64'
    >>> found.values["encoding"], "learning_rate" in found.values
    ('grid:4x2', False)
    """
    kind, values = _chosen(target)
    width, height = target.grid.width, target.grid.height
    size = f"{width} x {height}" + (f" x {target.grid.num_frames}" if target.is_clip else "")
    left_out = {*given, *(["minutes"] if "epochs" in given else [])}
    kept = {name: value for name, value in values.items() if name not in left_out}
    return PictureSettings(kept, f"{kind}, {size}")


def _chosen(target: Target) -> tuple[str, dict[str, Any]]:
    grid = target.grid
    levels = _levels(target)
    minutes = min(_MOST_MINUTES, _LEAST_MINUTES + _MINUTES_EACH * grid.num_pixels / 2**16)
    values: dict[str, Any] = {
        "shape": "[48]*2",
        "encoding": f"grid:{levels}x{_LEVEL_FEATURES}",
        "learning_rate": 4e-3,
        "lr_schedule": "cosine",
        "points": "all",
        "batch_size": 4096,
        "minutes": round(minutes, 2),
        # The encoding's cells alone are too many to be measured, or drawn exactly, at every frame.
        "measure_folds": 0,
        "polytope_engine": "sampled",
        "save_interval": "geometric:12",
    }
    if target.is_clip:
        few = min(levels, _MOST_CLIP_LEVELS)
        return "a clip", {**values, "encoding": f"grid:{few}x{_LEVEL_FEATURES}"}
    if target.class_colours is None:
        return ("a drawing in black and white" if target.is_two_valued else "a photograph"), values
    if lost_share(target) > MOST_LOST:
        return "a drawing with fine lines", {**values, "task": "regression"}
    kind = f"a drawing of {len(target.class_colours)} colours"
    if edge_share(target) < _DETAILED:
        exact = ("encoding", "measure_folds", "polytope_engine", "save_interval")
        values = {name: value for name, value in values.items() if name not in exact}
        values |= {"shape": "[32]*4"}
    return kind, values


def _levels(target: Target) -> int:
    """The levels of grids: as fine as the picture asks for, with fewer weights than pixels."""
    longest = max(target.grid.width, target.grid.height)
    levels = min(MAX_LEVELS, most_visible_octaves(longest) - _COARSER)
    levels += not target.is_clip and (longest <= _SMALL_PX or step_share(target) > _SHARP)
    count = target.grid.num_pixels
    while levels > 1 and Encoding(0, levels, _LEVEL_FEATURES).num_weights(2) > count:
        levels -= 1
    return max(1, min(MAX_LEVELS, levels))


def step_share(target: Target) -> float:
    """Return the share of neighbouring pixels that differ by more than a quarter in a channel.

    >>> from bitfold.targets import load_target
    >>> step_share(load_target("checkerboard", size=64)) > 0.01
    True
    """
    pixels = target.pixels[0].astype(np.float32) / np.iinfo(target.pixels.dtype).max
    steps = [np.any(np.abs(np.diff(pixels, axis=axis)) > _STEP, axis=2) for axis in (0, 1)]
    num_steps = sum(int(np.count_nonzero(one)) for one in steps)
    num_pairs = sum(int(one.size) for one in steps)
    return float(num_steps / max(1, num_pairs))


def lost_share(target: Target) -> float:
    """Return the share of a drawing's pixels that are no class's, and no edge between two.

    Smoothed edges are left out of classes, which costs nothing: both sides are near. Thin letters
    and lines are lost: all classified pixels near them are of one class.

    >>> from bitfold.targets import load_target
    >>> lost_share(load_target("rgb-ring", size=64))
    0.0
    """
    assert target.classes is not None
    classes = target.classes.reshape(target.pixels.shape[:3])[0]
    highest = maximum_filter(classes, _WINDOW_PX)
    lowest = minimum_filter(np.where(classes < 0, highest, classes), _WINDOW_PX)
    is_lost = (classes < 0) & (lowest == highest)
    return float(np.count_nonzero(is_lost) / classes.size)


def edge_share(target: Target) -> float:
    """Return the share of horizontal and vertical neighbours in a picture that differ in class.

    >>> from bitfold.targets import load_target
    >>> edge_share(load_target("rgb-ring", size=64)) > 0.01
    True
    """
    assert target.classes is not None
    classes = target.classes.reshape(target.pixels.shape[1:3])
    pairs = [(classes[1:], classes[:-1]), (classes[:, 1:], classes[:, :-1])]
    # Pixels without a class are the soft side of an edge; they count once with each neighbour.
    differ = sum(int(np.count_nonzero(one != other)) for one, other in pairs)
    return differ / max(1, sum(one.size for one, _ in pairs))

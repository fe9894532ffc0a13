"""Pictures drawn by code, at any size."""

import difflib
import math
from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import TargetError
from bitfold.targets.grid import Window, window_axes

MIN_SIZE_PX = 8
MAX_SIZE_PX = 8192
TEXT_PREFIX = "text:"

# Drawn in bands of rows, so that the largest size needs little memory beside the picture.
BAND_PIXELS = 2**20

RING_RADII = (0.22, 0.38)
DISK_RADIUS = 0.35
SPIRAL_PITCH = 0.28
SPIRAL_TURNS = (0.4, 1.5)  # where an arm starts and ends
CHECKERBOARD_CELLS = 8

Plane = NDArray[np.float64]
# x (1, columns), y (rows, 1) and the whole picture's size -> (rows, columns, 1 | 3)
Shader = Callable[[Plane, Plane, int], NDArray[np.uint8]]


def is_builtin(source: str) -> bool:
    """Return whether a source names a built-in picture.

    >>> is_builtin("ring"), is_builtin("text:A"), is_builtin("photo.png")
    (True, True, False)
    """
    return source in DRAWINGS or source.startswith(TEXT_PREFIX)


def builtin_names() -> tuple[str, ...]:
    """List the names of the built-in pictures, as a user would write them.

    >>> builtin_names()
    ('ring', 'rgb-ring', 'disk', 'spiral', 'checkerboard', 'text:LETTERS')
    """
    return (*DRAWINGS, f"{TEXT_PREFIX}LETTERS")


def suggest_builtin(source: str) -> str | None:
    """Find the built-in name nearest to a misspelt one.

    Source: difflib of the standard library (Ratcliff & Metzener 1988).

    >>> suggest_builtin("rign")
    'ring'
    >>> suggest_builtin("holiday") is None
    True
    """
    near = difflib.get_close_matches(source.lower().replace("_", "-"), DRAWINGS, n=1)
    return near[0] if near else None


def draw_builtin(name: str, size: int) -> NDArray[np.uint8]:
    """Draw a built-in picture.

    Grey drawings have edges smoothed over one pixel; rgb-ring has pure colours only.

    Letters are those of DejaVu Sans Bold, which Matplotlib carries.

    Args:
        name: one of `builtin_names`.
        size: side in pixels, 8 to 8192; for text the longer side, and the other fits the letters.

    Returns:
        (height, width, 1 | 3) grey or RGB.

    Raises:
        TargetError: the size is out of bounds, the name is unknown, or the letters cannot be drawn.

    >>> draw_builtin("disk", 8)[4, :, 0].tolist()
    [0, 191, 255, 255, 255, 255, 191, 0]
    """
    if not MIN_SIZE_PX <= size <= MAX_SIZE_PX:
        raise TargetError(
            f"Cannot draw {name!r}: expected a size of {MIN_SIZE_PX} to {MAX_SIZE_PX} pixels, got "
            f"{size}. Choose another size."
        )
    if name.startswith(TEXT_PREFIX):
        # Matplotlib's font is slow to import, so it is imported only for letters.
        from bitfold.targets.drawn.lettering import draw_letters  # noqa: PLC0415

        return draw_letters(name.removeprefix(TEXT_PREFIX), size)
    if name not in DRAWINGS:
        raise TargetError(
            f"Cannot draw: expected one of {', '.join(builtin_names())}, got {name!r}. "
            "Choose one of these."
        )
    xs, ys = window_axes(Window(), size, size)
    step = max(1, BAND_PIXELS // size)
    bands = (ys[top : top + step, None] for top in range(0, size, step))
    return np.concatenate([DRAWINGS[name](xs[None, :], band, size) for band in bands])


def _smooth_edge(inside: Plane, size: int) -> NDArray[np.uint8]:
    """Grey (..., 1) from a signed distance, positive inside, blended over one pixel."""
    cover = np.clip(inside * size + 0.5, 0.0, 1.0)
    return np.rint(cover * 255.0).astype(np.uint8)[..., None]


def _shade_ring(x: Plane, y: Plane, size: int) -> NDArray[np.uint8]:
    radius = np.hypot(x, y)
    inner, outer = RING_RADII
    return _smooth_edge(np.minimum(radius - inner, outer - radius), size)


def _shade_rgb_ring(x: Plane, y: Plane, size: int) -> NDArray[np.uint8]:
    region = np.digitize(np.hypot(x, y), RING_RADII)
    green_blue_red = np.array([[0, 255, 0], [0, 0, 255], [255, 0, 0]], np.uint8)
    return np.asarray(green_blue_red[region], np.uint8)


def _shade_disk(x: Plane, y: Plane, size: int) -> NDArray[np.uint8]:
    return _smooth_edge(DISK_RADIUS - np.hypot(x, y), size)


def _shade_checkerboard(x: Plane, y: Plane, size: int) -> NDArray[np.uint8]:
    column, row = (np.floor((axis + 0.5) * CHECKERBOARD_CELLS) for axis in (x, y))
    white = (column + row) % 2 == 0
    return np.where(white, 255, 0).astype(np.uint8)[..., None]


def _shade_spiral(x: Plane, y: Plane, size: int) -> NDArray[np.uint8]:
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    inside = np.maximum(
        _spiral_arm(radius, angle, start_angle=0.0),
        _spiral_arm(radius, angle, start_angle=math.pi),
    )
    return _smooth_edge(inside, size)


def _spiral_arm(radius: Plane, angle: Plane, *, start_angle: float) -> Plane:
    """Signed distance to an Archimedean arm with round ends, positive inside.

    The arm's middle is at radius SPIRAL_PITCH * turns; beside it, distance is taken along the
    radius, divided by the slope of the curve.
    """
    half_width = SPIRAL_PITCH / 8  # two arms and their gaps share one pitch evenly
    part_turns = (angle - start_angle) / (2 * math.pi)
    turns = part_turns + np.rint(radius / SPIRAL_PITCH - part_turns)
    slope = np.hypot(1.0, 1.0 / (2 * math.pi * np.maximum(turns, SPIRAL_TURNS[0])))
    along = half_width - np.abs(radius - SPIRAL_PITCH * turns) / slope
    first, last = SPIRAL_TURNS
    on_arm = (turns >= first) & (turns <= last)
    caps = np.full_like(along, -1.0)
    for end, forwards in ((first, 1.0), (last, -1.0)):
        middle, direction = SPIRAL_PITCH * end, start_angle + 2 * math.pi * end
        outwards = radius * np.cos(angle - direction) - middle
        sideways = radius * np.sin(angle - direction)
        distance = np.hypot(outwards, sideways)
        # Near an end the arm is cut across its own direction, not along the radius.
        ahead = forwards * (outwards * SPIRAL_PITCH / (2 * math.pi) + sideways * middle) >= 0
        on_arm = np.where(distance < 2 * half_width, ahead, on_arm)
        np.maximum(caps, half_width - distance, out=caps)
    return np.maximum(np.where(on_arm, along, -1.0), caps)


DRAWINGS: MappingProxyType[str, Shader] = MappingProxyType(
    {
        "ring": _shade_ring,
        "rgb-ring": _shade_rgb_ring,
        "disk": _shade_disk,
        "spiral": _shade_spiral,
        "checkerboard": _shade_checkerboard,
    }
)

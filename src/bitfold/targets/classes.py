"""The flat colours of a picture, as classes.

A colour is flat if most of its pixels lie in blocks of 3 x 3 of that colour, or if it has at least
1 % of the pixels and is no blend of two flat colours that are each twice as frequent. All others
are the rare in-between colours of smoothed edges: they are left out. In lossy pictures, where finer
detail is smeared, only the first sort counts.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bitfold.targets.frames import Pixels, to_eight_bits

COMMON_SHARE = 0.01
# Both ends of a blend are at least this many times as frequent as the blend.
BLEND_RARITY = 2
# Blends are rounded to whole levels, perhaps twice.
BLEND_TOLERANCE = 4
# Ringing of lossy codecs reaches about this far at usual qualities ...
LOSSY_TOLERANCE = 16
# ... but flat areas are mostly exact; a photo's colours are spread evenly over the tolerance.
LOSSY_CORE = 3
LOSSY_SNAP = 8
CORE_SHARE = 0.5
MAX_LOSSY_CENTRES = 256
PURE_TOLERANCE = 16
# More pairs than this only arise in pictures that have far too many classes anyway.
MAX_BLEND_ENDS = 64
NUM_COLOURS = 1 << 24
BLOCK_PIXELS = 2**23

# Vermillion, bluish green and blue of Okabe and Ito.
_PURE_CLASSES: Final = {
    (255, 0, 0): (213, 94, 0),
    (0, 255, 0): (0, 158, 115),
    (0, 0, 255): (0, 114, 178),
}


@dataclass(frozen=True, eq=False)
class FlatColours:
    """The flat colours of a picture in the order of their class numbers.

    Args:
        colours: (K, 3) RGB.
        classes: (num_pixels,) class of each pixel, -1 where left out.
    """

    colours: NDArray[np.uint8]
    classes: NDArray[np.int64]

    @property
    def share(self) -> float:
        """The part of the pixels that has a class."""
        return float(np.count_nonzero(self.classes >= 0) / self.classes.size)


def find_flat_colours(pixels: Pixels, *, is_lossy: bool = False) -> FlatColours:
    """Find the flat colours of a picture or clip and number them.

    The colours nearest to pure red, green and blue, if any are within 16 levels in each channel,
    come first in that order; the others follow by decreasing number of pixels.

    Args:
        pixels: (frames, height, width, 1 | 3), uint8 or uint16 (rounded to 8 bits).
        is_lossy: counts colours within 16 levels of a flat one as that one.

    Returns:
        Any number of colours, also none or one.

    >>> picture = np.zeros((1, 4, 8, 3), np.uint8)
    >>> picture[:, :, 4:, 2] = 255
    >>> find_flat_colours(picture).colours.tolist()
    [[0, 0, 255], [0, 0, 0]]
    """
    packed = _pack(pixels)
    histogram = np.zeros(NUM_COLOURS, np.int64)
    for part in np.array_split(packed.ravel(), 1 + packed.size // BLOCK_PIXELS):
        histogram += np.bincount(part, minlength=NUM_COLOURS)
    numbers = np.flatnonzero(histogram)
    counts = histogram[numbers]
    table = np.zeros(NUM_COLOURS, np.int32)
    table[numbers] = np.arange(len(numbers), dtype=np.int32)
    raster = table[packed]
    colours = _unpack(numbers)
    allowed = np.ones(len(colours), bool)
    if is_lossy:
        centres, allowed = _merge_lossy(colours, counts)
        raster = centres.astype(np.int32)[raster]
        counts = np.bincount(centres, weights=counts, minlength=len(colours)).astype(np.int64)
    regions = allowed & _fills_blocks(raster, counts)
    flat = np.flatnonzero(regions if is_lossy else _flat(colours, counts, regions))
    order = _class_order(colours[flat], counts[flat])
    flat = flat[order]
    shown = colours[flat]
    if is_lossy:  # a codec moves pure channels by a few levels
        pure = np.where(shown < 128, 0, 255)
        off = np.abs(shown.astype(np.int16) - pure).max(axis=1, initial=0, keepdims=True)
        shown = np.where(off <= LOSSY_SNAP, pure, shown)
    class_of = np.full(len(colours), -1, np.int64)
    class_of[flat] = np.arange(len(flat))
    return FlatColours(shown.astype(np.uint8), class_of[raster].ravel())


def _pack(pixels: Pixels) -> NDArray[np.int32]:
    """One number a pixel (frames, height, width): red * 65536 + green * 256 + blue."""
    packed = np.empty(pixels.shape[:3], np.int32)
    rows = max(1, BLOCK_PIXELS // pixels.shape[2])
    for frame, place in zip(pixels, packed, strict=True):
        for top in range(0, len(frame), rows):
            part = to_eight_bits(frame[top : top + rows]).astype(np.int32)
            red, green, blue = (part[..., channel] for channel in (0, part.shape[-1] // 2, -1))
            place[top : top + rows] = (red << 16) | (green << 8) | blue
    return packed


def _unpack(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.stack([numbers >> 16, (numbers >> 8) & 255, numbers & 255], axis=1).astype(np.uint8)


def _merge_lossy(
    colours: NDArray[np.uint8], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give every colour (M,) to the most frequent centre near it, and say which may be classes."""
    levels = colours.astype(np.int16)
    centre_of = np.arange(len(colours))
    waiting = np.ones(len(colours), bool)
    allowed = np.zeros(len(colours), bool)
    num_centres = 0
    for candidate in np.argsort(-counts, kind="stable"):
        if num_centres == MAX_LOSSY_CENTRES:
            break
        if not waiting[candidate]:
            continue
        num_centres += 1
        distance = np.abs(levels - levels[candidate]).max(axis=1)
        near = waiting & (distance <= LOSSY_TOLERANCE)
        core = counts[near & (distance <= LOSSY_CORE)].sum()
        allowed[candidate] = core >= CORE_SHARE * counts[near].sum()
        centre_of[near] = candidate
        waiting &= ~near
    return centre_of, allowed


def _fills_blocks(raster: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the colours (M,) that have most of their pixels in blocks of 3 x 3."""
    solid = np.zeros(len(counts), np.int64)
    for frame in raster:
        solid += np.bincount(frame[_in_blocks(frame)], minlength=len(counts))
    return np.asarray((counts > 0) & (2 * solid >= counts), np.bool_)


def _flat(
    colours: NDArray[np.uint8], counts: NDArray[np.int64], regions: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mark the flat colours (M,), by the rule at the head of this file."""
    flat = np.array(regions | (counts >= COMMON_SHARE * counts.sum()), np.bool_)
    levels = colours.astype(np.float64)
    # From frequent to rare, so that the ends of a blend are decided before the blend.
    for index in np.flatnonzero(flat)[np.argsort(-counts[flat], kind="stable")]:
        ends = flat & (counts >= BLEND_RARITY * counts[index])
        if not regions[index] and np.count_nonzero(ends) <= MAX_BLEND_ENDS:
            flat[index] = not _is_blend(levels[index], levels[ends])
    return flat


def _in_blocks(frame: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Mark the pixels (height, width) that lie in a 3 x 3 block of one colour."""
    inside = np.zeros(frame.shape, bool)
    if min(frame.shape) < 3:
        return inside
    across = frame[:, 1:] == frame[:, :-1]
    across = across[:, 1:] & across[:, :-1]
    down = frame[1:, 1:-1] == frame[:-1, 1:-1]
    blocks = down[1:] & down[:-1] & across[2:] & across[1:-1] & across[:-2]
    height, width = blocks.shape
    for top in range(3):
        for left in range(3):
            inside[top : top + height, left : left + width] |= blocks
    return inside


def _is_blend(colour: NDArray[np.float64], ends: NDArray[np.float64]) -> bool:
    """Tell whether a colour (3,) lies on a line between two of the colours (R, 3)."""
    for first, second in combinations(ends, 2):
        along = second - first
        part = np.clip((colour - first) @ along / (along @ along), 0.0, 1.0)
        if np.abs(first + part * along - colour).max() <= BLEND_TOLERANCE:
            return True
    return False


def _class_order(colours: NDArray[np.uint8], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order colours: red, green, blue, then by decreasing count; ties by colour."""
    by_count = np.argsort(-counts, kind="stable")
    first: list[int] = []
    for pure in ((255, 0, 0), (0, 255, 0), (0, 0, 255)):
        distance = np.abs(colours[by_count].astype(np.int16) - np.array(pure, np.int16))
        distance = distance.max(axis=1, initial=0)
        if len(distance) and distance.min() <= PURE_TOLERANCE:
            first.append(int(by_count[distance.argmin()]))
    rest = [int(index) for index in by_count if int(index) not in first]
    return np.array(first + rest, np.int64)


def display_class_colours(class_colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Replace pure red, green and blue by colours that colour-blind readers can tell apart.

    Source: Okabe and Ito (2008), "Color Universal Design".

    Args:
        class_colours: uint8 (K, 3), colours of the classes in the picture.

    Returns:
        uint8 (K, 3); other colours stay, and different classes keep different colours.

    >>> display_class_colours(np.array([[255, 0, 0], [9, 9, 9]], np.uint8)).tolist()
    [[213, 94, 0], [9, 9, 9]]
    """
    own: list[tuple[int, int, int]] = [(int(r), int(g), int(b)) for r, g, b in class_colours]
    shown = [
        colour if _PURE_CLASSES.get(colour) in own else _PURE_CLASSES.get(colour, colour)
        for colour in own
    ]
    return np.array(shown, dtype=np.uint8).reshape(-1, 3)


def with_display_colours(
    pixels: NDArray[np.uint8], classes: NDArray[np.integer[Any]], class_colours: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Show each pixel in the display colour of its class.

    Args:
        pixels: uint8 (..., 3), the picture; the argument stays as it is.
        classes: (...), class of each pixel; pixels without a known class keep their colour.
        class_colours: uint8 (K, 3), colours of the classes in the picture.

    Returns:
        uint8 (..., 3).

    >>> red = np.array([[255, 0, 0], [250, 0, 0]], np.uint8)
    >>> with_display_colours(red, np.array([0, -1]), red[:1]).tolist()
    [[213, 94, 0], [250, 0, 0]]
    """
    colours, found = display_class_colours(class_colours), pixels.copy()
    has_class = (classes >= 0) & (classes < len(colours))
    found[has_class] = colours[classes[has_class]]
    return found

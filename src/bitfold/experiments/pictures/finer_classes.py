"""A drawing's classes within its pixels, so that a network learns where smoothed edges run.

A pixel on a smoothed edge is a blend of two colours. Its blend tells how much of the pixel each
colour covers, and its neighbours tell on which side. Classes alone leave such pixels out: an edge
may then run anywhere within a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import maximum_filter

from bitfold.targets import Target

#: Points along each side of a pixel, as many as a file's edges are drawn with.
TIMES: Final = 4
# A pixel blends the colours of classes that are this near, if there are two.
_WINDOW_PX: Final = 5


@dataclass(frozen=True, eq=False)
class _Blends:
    """Each pixel (height, width) as a blend: ``share`` of class ``one``, and the rest of ``two``.

    A pixel that has a class is wholly of that class.
    """

    one: NDArray[np.int64]
    two: NDArray[np.int64]
    share: NDArray[np.float64]

    def coverage(self, number: int) -> NDArray[np.float64]:
        """How much of each pixel a class covers."""
        found: NDArray[np.float64] = np.where(self.one == number, self.share, 0)
        found += np.where(self.two == number, 1 - self.share, 0)
        return found


def finer_classes(target: Target, times: int = TIMES) -> NDArray[np.uint8]:
    """Draw a drawing in its flat colours alone, several times as large.

    Averaged over squares of ``times`` x ``times`` pixels it is the drawing again, but for blends of
    more than two colours, and for the rounding of shares.

    Args:
        target: a picture with classes.
        times: how many times as large.

    Returns:
        uint8 (times * height, times * width, 3), in the colours of the classes.

    >>> from bitfold.targets import Frames, make_target
    >>> pixels = np.zeros((1, 32, 32, 3), np.uint8)
    >>> pixels[..., 5:, :], pixels[..., 4, :] = 200, 50  # the edge runs at 4.75 pixels
    >>> target = make_target("edge", Frames(pixels), task="classification")
    >>> finer_classes(target)[0, 15:22, 0].tolist()
    [0, 0, 0, 0, 200, 200, 200]
    """
    assert target.class_colours is not None
    blends = _blends(target)
    large = np.repeat(np.repeat(blends.one, times, 0), times, 1)
    squares = _squares(large, times)
    is_mixed = blends.share < 1
    pairs = np.stack([blends.one[is_mixed], blends.two[is_mixed]], 1)
    for one, two in np.unique(pairs, axis=0):
        part = np.nonzero(is_mixed & (blends.one == one) & (blends.two == two))
        towards_one = _enlarged(blends.coverage(one) - blends.coverage(two), times)
        points = _squares(towards_one, times)[part].reshape(len(part[0]), -1)
        rank = np.argsort(np.argsort(-points, axis=1, kind="stable"), axis=1)
        is_one = rank < np.rint(blends.share[part] * times**2)[:, None]
        squares[part] = np.where(is_one, one, two).reshape(-1, times, times)
    return target.class_colours[large]


def _blends(target: Target) -> _Blends:
    """Find the two near classes and the share that give each pixel without a class its colour."""
    assert target.class_colours is not None
    assert target.classes is not None
    colours = target.class_colours.astype(np.float64)
    classes = target.classes.reshape(target.grid.height, target.grid.width)
    part = np.nonzero(classes < 0)
    pixels = target.picture()[part].astype(np.float64)
    is_near = np.stack(
        [maximum_filter(classes == number, _WINDOW_PX)[part] for number in range(len(colours))]
    )
    is_near |= is_near.sum(0) < 2  # any colours, where there are not two
    least = np.full(len(pixels), np.inf)
    one, two, share = classes.copy(), classes.copy(), np.ones(classes.shape)
    found_one, found_two, found_share = one[part], two[part], share[part]
    for first, second in combinations(range(len(colours)), 2):
        along = colours[first] - colours[second]
        blend = np.clip((pixels - colours[second]) @ along / (along @ along), 0, 1)
        off = np.square(pixels - colours[second] - blend[:, None] * along).sum(1)
        is_better = is_near[first] & is_near[second] & (off < least)
        found_one[is_better], found_two[is_better] = first, second
        found_share[is_better], least[is_better] = blend[is_better], off[is_better]
    one[part], two[part], share[part] = found_one, found_two, found_share
    return _Blends(one, two, share)


def _squares(raster: NDArray[Any], times: int) -> NDArray[Any]:
    """A view (height, width, times, times) of a raster that is that many times as large."""
    height, width = raster.shape[0] // times, raster.shape[1] // times
    return raster.reshape(height, times, width, times).transpose(0, 2, 1, 3)


def _enlarged(values: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    picture = Image.fromarray(values.astype(np.float32))
    size = times * picture.width, times * picture.height
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC), np.float64)

"""A target with other pixels, for the network that already learns it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import TargetError
from bitfold.targets.target import Target


def repainted(target: Target, pixels: NDArray[Any]) -> Target:
    """Return a target with other pixels of the same size, colours and classes.

    Args:
        target: the target so far.
        pixels: (height, width), (height, width, channels) or (frames, height, width, channels);
            uint8 or uint16, or booleans for black and white. For classification each pixel gets the
            class of the nearest colour; a pixel whose colour did not change keeps its class.

    Raises:
        TargetError: the pixels have another size or type.

    >>> from bitfold.targets.target import load_target
    >>> ring = load_target("ring", size=8)
    >>> repainted(ring, np.zeros((8, 8), bool)).values(np.arange(3)).ravel().tolist()
    [0.0, 0.0, 0.0]
    """
    found = np.asarray(pixels)
    if found.dtype == np.bool_:
        found = found.astype(np.uint8) * 255
    shape = target.pixels.shape
    fits = found.size == target.pixels.size and found.shape in {
        shape, shape[1:], shape[1:3] if shape[0] == shape[3] == 1 else shape,
    }  # fmt: skip
    if not fits or found.dtype not in (np.uint8, np.uint16):
        raise TargetError(
            f"Cannot repaint target {target.name!r}: expected uint8 pixels of shape {shape[1:]}, "
            f"got {found.dtype} of shape {found.shape}. Another size makes another run."
        )
    found = found.reshape(shape)
    if target.classes is None or target.class_colours is None:
        return dataclasses.replace(target, pixels=found)
    if found.dtype != target.pixels.dtype:
        raise TargetError(
            f"Cannot repaint target {target.name!r}: expected {target.pixels.dtype} pixels, got "
            f"{found.dtype}. Classes are colours of 8 bits."
        )
    changed = np.flatnonzero((found != target.pixels).any(-1))
    classes = target.classes.copy()
    classes[changed] = _nearest(found.reshape(-1, shape[3])[changed], target.class_colours)
    return dataclasses.replace(target, pixels=found, classes=classes)


def _nearest(colours: NDArray[np.generic], class_colours: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the class with the nearest colour for each of (N, channels) colours."""
    rgb = np.broadcast_to(colours, (len(colours), 3)).astype(np.int64)
    best = np.zeros(len(rgb), np.int64)
    least = np.full(len(rgb), np.iinfo(np.int64).max)
    for number, colour in enumerate(class_colours.astype(np.int64)):
        distances = np.square(rgb - colour).sum(1)
        best[distances < least] = number
        least = np.minimum(least, distances)
    return best

"""Pixels as they come out of a file or a drawing, before a task is chosen."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import TargetError

MAX_PICTURE_PIXELS = 2**26  # 8192 x 8192
MAX_CLIP_FRAMES = 10_000
MAX_CLIP_BYTES = 2**29  # RGB at 8 bits: 170 frames of 1024 x 1024
COMPOSITE_BLOCK_PIXELS = 2**20

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class Frames:
    """Decoded frames in RGB or grey.

    Args:
        pixels: (frames, height, width, 1 | 3), uint8 or uint16 over its whole range.
        frames_per_second: of a clip, where known; None for a picture.
        is_lossy: whether flat areas may carry the noise of a lossy codec.
        edges: of a clip whose frames are shown for different durations, the times between them as
            `Grid.frame_edges` has them; else None.

    >>> Frames(np.zeros((2, 3, 4, 1), np.uint8)).is_clip
    True
    """

    pixels: Pixels
    frames_per_second: float | None = None
    is_lossy: bool = False
    edges: tuple[float, ...] | None = None

    @property
    def is_clip(self) -> bool:
        """Whether there is more than one frame."""
        return len(self.pixels) > 1


def edges_of_durations(durations: NDArray[np.floating]) -> tuple[float, ...] | None:
    """Lay frames of different durations along the time from -0.5 to 0.5.

    Args:
        durations: (frames,) above 0, in any unit.

    Returns:
        frames + 1 times, ascending; None if all durations are equal.

    >>> edges_of_durations(np.array([3.0, 1.0]))
    (-0.5, 0.25, 0.5)
    >>> edges_of_durations(np.array([2.0, 2.0]))
    """
    if (durations == durations[0]).all():
        return None
    ends = np.cumsum(durations)
    edges = (-0.5, *(ends[:-1] / ends[-1] - 0.5).tolist(), 0.5)
    # One frame may last so long that others vanish beside it.
    return edges if all(early < late for early, late in pairwise(edges)) else None


def check_picture_size(where: str, width: int, height: int) -> None:
    """Refuse a picture that is empty or has more than MAX_PICTURE_PIXELS pixels.

    Raises:
        TargetError: it is; the message names the limit.

    >>> check_picture_size("'a.png'", 8192, 8192)
    """
    if not 1 <= width * height <= MAX_PICTURE_PIXELS:
        raise TargetError(
            f"Cannot load {where}: expected 1 to {MAX_PICTURE_PIXELS} pixels, got "
            f"{width} x {height}. Scale it down."
        )


def check_clip_size(where: str, num_frames: int, width: int, height: int) -> None:
    """Refuse a clip that is empty, has too many frames or needs too much memory.

    Raises:
        TargetError: more than MAX_CLIP_FRAMES frames or MAX_CLIP_BYTES bytes of RGB.

    >>> check_clip_size("'a.mp4'", 170, 1024, 1024)
    """
    if width < 1 or height < 1:
        raise TargetError(
            f"Cannot load {where}: expected frames with pixels, got {width} x {height}. "
            "Use another clip."
        )
    if num_frames > MAX_CLIP_FRAMES:
        raise TargetError(
            f"Cannot load {where}: expected at most {MAX_CLIP_FRAMES} frames, got at least "
            f"{num_frames}. Cut it shorter."
        )
    most = MAX_CLIP_BYTES // (3 * width * height)
    if num_frames > most:
        raise TargetError(
            f"Cannot load {where}: expected at most {MAX_CLIP_BYTES} bytes of pixels, which is "
            f"{most} frames of {width} x {height}, got at least {num_frames}. "
            "Cut it shorter or scale it down."
        )


def composite_over_white(pixels: Pixels) -> Pixels:
    """Blend grey + alpha or RGB + alpha over white, rounded to nearest.

    Source: Porter & Duff 1984, "over", straight alpha, on the stored values.

    Args:
        pixels: (height, width, 2 | 4), alpha last; uint8 or uint16.

    Returns:
        (height, width, 1 | 3) of the same type.

    >>> composite_over_white(np.array([[[0, 0, 0, 0], [9, 8, 7, 255]]], np.uint8)).tolist()
    [[[255, 255, 255], [9, 8, 7]]]
    """
    height, width = pixels.shape[:2]
    white = np.uint32(np.iinfo(pixels.dtype).max)
    blended = pixels[..., :-1].copy()
    step = max(1, COMPOSITE_BLOCK_PIXELS // width)
    for top in range(0, height, step):
        block = pixels[top : top + step].astype(np.uint32)
        colour, alpha = block[..., :-1], block[..., -1:]
        # For 16 bits the sum is at most 65535 * 65535 + 32767 < 2**32.
        mixed = colour * alpha + white * (white - alpha) + white // 2
        blended[top : top + step] = mixed // white
    return blended


def drop_equal_channels(pixels: Pixels) -> Pixels:
    """Turn RGB whose three channels are equal everywhere into grey.

    Args:
        pixels: (..., 1 | 3).

    Returns:
        (..., 1) if grey, else the same array.

    >>> drop_equal_channels(np.full((2, 2, 3), 7, np.uint8)).shape
    (2, 2, 1)
    """
    if pixels.shape[-1] == 1:
        return pixels
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return pixels[..., :1].copy()
    return pixels


def to_eight_bits(pixels: Pixels) -> NDArray[np.uint8]:
    """Round 16-bit values to 8 bits; 65535 = 257 * 255, so both ends stay exact.

    >>> to_eight_bits(np.array([0, 128, 129, 65535], np.uint16)).tolist()
    [0, 0, 1, 255]
    """
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)

"""Animated GIF, WebP, PNG and AVIF, which Pillow composes."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitfold.errors import TargetError
from bitfold.targets.containers import check_complete
from bitfold.targets.frames import (
    Frames,
    check_clip_size,
    composite_over_white,
    drop_equal_channels,
    edges_of_durations,
)
from bitfold.targets.picture import (
    ORIENTATION_TAG,
    eight_bit_pixels,
    open_picture,
    orient_pixels,
)
from bitfold.targets.signature import Kind, damaged_file

# Players show a frame without a duration this long.
DEFAULT_FRAME_MILLISECONDS = 100.0
ANIMATED_KINDS: frozenset[Kind] = frozenset({"GIF", "WEBP", "PNG", "AVIF"})


def read_animation(path: Path, kind: Kind) -> Frames | None:
    """Read every frame of an animated GIF, WebP, PNG or AVIF; None if it is a still picture.

    The rate is that of the mean duration. `Frames.edges` has the times of frames whose durations
    differ.

    Pillow decodes and composes.

    Args:
        path: the file.
        kind: its kind.

    Returns:
        (frames, height, width, 1 | 3) uint8, alpha over white; None below two frames.

    Raises:
        TargetError: it is damaged, truncated, or goes beyond MAX_CLIP_FRAMES frames or
            MAX_CLIP_BYTES bytes.
    """
    if kind not in ANIMATED_KINDS:
        return None
    where = repr(str(path))
    try:
        with path.open("rb") as stream:
            check_complete(stream, kind, where)
        data = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = open_picture(data, kind, where)
            # An APNG may carry a still picture for viewers that do not know animations.
            first = 1 if image.info.get("default_image") else 0
            last = int(getattr(image, "n_frames", 1))
            if last - first < 2:
                return None
            check_clip_size(where, last - first, image.width, image.height)
            return _read_animated(image, range(first, last), kind, data)
    except TargetError:
        raise
    except Exception as error:  # decoders of hostile files raise nearly everything
        raise damaged_file(where, kind, error) from error


def _read_animated(image: Image.Image, numbers: range, kind: Kind, data: bytes) -> Frames:
    pixels = list[NDArray[np.uint8]]()
    orientation = image.getexif().get(ORIENTATION_TAG, 1)
    milliseconds = np.empty(len(numbers))
    for place, number in enumerate(numbers):
        image.seek(number)
        image.load()
        shown = np.broadcast_to(_opaque(eight_bit_pixels(image)), (image.height, image.width, 3))
        pixels.append(orient_pixels(shown, orientation))
        duration = image.info.get("duration", 0)
        milliseconds[place] = float(duration) or DEFAULT_FRAME_MILLISECONDS
    return Frames(
        drop_equal_channels(np.stack(pixels)),
        frames_per_second=1000.0 * len(numbers) / float(milliseconds.sum()),
        is_lossy=kind == "AVIF" or (kind == "WEBP" and b"VP8 " in data),
        edges=edges_of_durations(milliseconds),
    )


def _opaque(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.shape[-1] == 4:
        return composite_over_white(pixels).astype(np.uint8, copy=False)
    return pixels

"""Frames as the bytes of PNG and JPEG files."""

import io
from fractions import Fraction
from typing import Final

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from PIL import Image

from bitfold.errors import RenderError
from bitfold.render.scene import is_rgb

HIGHEST_COMPRESSION: Final = 9
HIGHEST_QUALITY: Final = 100


def encode_png(rgb: npt.NDArray[np.uint8], compression: int = 1) -> bytes:
    """Encode a picture as PNG, without loss.

    libpng's filters are chosen a line at a time and cost most of the time; here every line is
    filtered by its left neighbour, which suits flat areas, and deflate works at its fastest.

    Source: W3C PNG Specification (third edition), section 9; encoded by FFmpeg.

    Args:
        rgb: uint8 (height, width, 3).
        compression: 0 (none) to 9 (smallest and slowest).

    Returns:
        The bytes of the file; the same for the same picture.

    Raises:
        RenderError: the array is no RGB picture, or the compression is out of bounds.

    >>> encode_png(np.zeros((2, 2, 3), np.uint8))[1:4]
    b'PNG'
    """
    _check_picture(rgb, "PNG")
    _check_setting("PNG", "compression", compression, range(HIGHEST_COMPRESSION + 1))
    codec = av.CodecContext.create("png", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.height, codec.width = rgb.shape[:2]
    codec.pix_fmt = "rgb24"
    codec.thread_count = 1
    codec.time_base = Fraction(1, 1)
    codec.options = {"compression_level": str(compression), "pred": "sub"}
    try:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        packets = codec.encode(frame) + codec.encode(None)
    except (av.error.FFmpegError, OSError) as error:
        raise RenderError(
            f"Cannot encode a PNG: expected a picture of {rgb.shape} to fit, got {error}. "
            "Draw smaller panels."
        ) from error
    return b"".join(bytes(packet) for packet in packets)


def encode_jpeg(rgb: npt.NDArray[np.uint8], quality: int = 90) -> bytes:
    """Encode a picture as JPEG, with its colours at full resolution so that thin folds keep theirs.

    Source: ITU-T T.81 (1992), baseline; encoded by Pillow.

    Args:
        rgb: uint8 (height, width, 3).
        quality: 1 (worst) to 100.

    Returns:
        The bytes of the file.

    Raises:
        RenderError: the array is no RGB picture, or the quality is out of bounds.

    >>> encode_jpeg(np.zeros((2, 2, 3), np.uint8))[:2].hex()
    'ffd8'
    """
    _check_picture(rgb, "JPEG")
    _check_setting("JPEG", "quality", quality, range(1, HIGHEST_QUALITY + 1))
    stream = io.BytesIO()
    try:
        Image.fromarray(rgb).save(stream, "JPEG", quality=quality, subsampling=0)
    except (OSError, ValueError) as error:
        raise RenderError(
            f"Cannot encode a JPEG: expected a picture of {rgb.shape} to fit, got {error}. "
            "Draw smaller panels or choose PNG."
        ) from error
    return stream.getvalue()


def _check_picture(rgb: npt.NDArray[np.uint8], kind: str) -> None:
    if not is_rgb(rgb):
        raise RenderError(
            f"Cannot encode a {kind}: expected uint8 (height, width, 3), "
            f"got {rgb.dtype} {rgb.shape}. Convert it to RGB bytes."
        )


def _check_setting(kind: str, name: str, value: int, allowed: range) -> None:
    if value not in allowed:
        raise RenderError(
            f"Cannot encode a {kind}: expected a {name} of {allowed[0]} to {allowed[-1]}, "
            f"got {value}. Choose one within."
        )

"""Pictures as the bytes of PNG and JPEG files."""

import io
import struct
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from zlib_ng import zlib_ng

from bitfold.errors import RenderError
from bitfold.render.frame.scene import is_rgb

HIGHEST_COMPRESSION: Final = 9
HIGHEST_QUALITY: Final = 100
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_RGB: Final = 2  # colour type
_UP: Final = 2  # filter type


def encode_png(rgb: npt.NDArray[np.uint8], compression: int = 2) -> bytes:
    """Encode a picture as PNG, without loss.

    Other encoders spend most of their time choosing a filter for each line. This one always takes
    the difference to the line above, which suits panels, and compresses with zlib-ng.

    Source: W3C PNG Specification (third edition), sections 5.3, 9.2 and 11.2.

    Args:
        rgb: uint8 (height, width, 3).
        compression: 0 (none) to 9 (smallest and slowest).

    Returns:
        The bytes of the file; equal pictures give equal bytes.

    Raises:
        RenderError: the array is not an RGB picture, or the compression is out of bounds.

    >>> encode_png(np.zeros((2, 2, 3), np.uint8))[1:4]
    b'PNG'
    """
    _check_picture(rgb, "PNG")
    _check_setting("PNG", "compression", compression, range(HIGHEST_COMPRESSION + 1))
    height, width = rgb.shape[:2]
    pixels = np.ascontiguousarray(rgb).reshape(height, 3 * width)
    lines = np.full((height, 1 + 3 * width), _UP, dtype=np.uint8)
    lines[0, 1:] = pixels[0]
    np.subtract(pixels[1:], pixels[:-1], out=lines[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, _RGB, 0, 0, 0)
    data = zlib_ng.compress(lines, compression)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return _SIGNATURE + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib_ng.crc32(data, zlib_ng.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def encode_jpeg(rgb: npt.NDArray[np.uint8], quality: int = 90) -> bytes:
    """Encode a picture as JPEG, with colours at full resolution, so that thin folds keep them.

    Source: ITU-T T.81 (1992), baseline; encoded by Pillow.

    Args:
        rgb: uint8 (height, width, 3).
        quality: 1 (worst) to 100.

    Returns:
        The bytes of the file.

    Raises:
        RenderError: the array is not an RGB picture, or the quality is out of bounds.

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
            f"got {value}. Choose a value in this range."
        )

"""Still pictures: orientation obeyed, alpha over white, 16 bits kept, always RGB or grey."""

import io
import warnings
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError, features
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from bitfold.errors import TargetError
from bitfold.targets.frames import (
    MAX_PICTURE_PIXELS,
    Frames,
    Pixels,
    check_picture_size,
    composite_over_white,
    drop_equal_channels,
)
from bitfold.targets.png_chunks import without_texts
from bitfold.targets.signature import Kind, damaged_file, one_line

WIDTH_TAG = 256
HEIGHT_TAG = 257
ORIENTATION_TAG = 274
BITS_PER_SAMPLE_TAG = 258
PHOTOMETRIC_TAG = 262
SUBFILE_TYPE_TAG = 254
SAMPLE_FORMAT_TAG = 339
_SAMPLE_FORMATS = {1: "unsigned integers", 2: "signed integers", 3: "floating point"}
_LOSSY_KINDS: frozenset[Kind] = frozenset({"JPEG", "AVIF", "JPEG2000"})
# Decoders that a Pillow may be built without, by the name of the feature.
_OPTIONAL_DECODERS: dict[Kind, str] = {"AVIF": "avif", "JPEG2000": "jpg_2000", "WEBP": "webp"}
Depth = TypeVar("Depth", np.uint8, np.uint16)
SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")


def read_picture(path: Path, kind: Kind) -> Frames:
    """Read one picture; of an animation or a TIFF of several pages, the first.

    Values are taken as stored: no colour profile is applied.

    Pillow decodes; where it would reduce 16 bits of PNG or TIFF to 8, PyAV does.

    Args:
        path: the file.
        kind: its kind, as `bitfold.targets.signature.identify_file` tells.

    Returns:
        One frame (1, height, width, 1 | 3), uint8 or uint16; grey if all channels are equal.

    Raises:
        TargetError: it is damaged, truncated, above 2**26 pixels, or has a depth beyond 16 bits.
    """
    where = repr(str(path))
    try:
        data = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels, is_lossy = _decode(data, kind, where)
    except TargetError:
        raise
    except Exception as error:  # decoders of hostile files raise nearly everything
        raise damaged_file(where, kind, error) from error
    if pixels.shape[-1] in (2, 4):
        pixels = composite_over_white(pixels)
    return Frames(drop_equal_channels(pixels)[None], is_lossy=is_lossy)


def open_picture(data: bytes, kind: Kind, where: str) -> Image.Image:
    """Open a picture with one decoder only, and refuse it if it is too large to decode.

    Raises:
        TargetError: it has no pixels or more than 2**26.
        UnidentifiedImageError: its header cannot be read.
    """
    feature = _OPTIONAL_DECODERS.get(kind)
    if feature and not features.check(feature):
        raise TargetError(
            f"Cannot load {where}: expected a Pillow with its decoder of {kind} pictures, got one "
            "without. Install a newer Pillow, or convert the picture to PNG."
        )
    stream = io.BytesIO(without_texts(data) if kind == "PNG" else data)
    try:
        image = Image.open(stream, formats=(kind,))
    except Image.DecompressionBombError as error:
        raise TargetError(
            f"Cannot load {where}: expected at most {MAX_PICTURE_PIXELS} pixels, got far more "
            f"({one_line(error)}). Scale it down."
        ) from error
    except UnidentifiedImageError as error:
        raise UnidentifiedImageError("its header cannot be read") from error
    check_picture_size(where, image.width, image.height)
    return image


def eight_bit_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Convert an image of any 8-bit mode to (height, width, 1 | 3 | 4): grey, RGB or RGBA.

    >>> eight_bit_pixels(Image.new("P", (2, 1))).shape
    (1, 2, 3)
    """
    if image.has_transparency_data:
        straight = image.convert("LA") if image.mode == "La" else image
        return np.array(straight.convert("RGBA"), np.uint8)
    if image.mode in ("1", "L"):
        return np.array(image.convert("L"), np.uint8)[..., None]
    return np.array(image.convert("RGB"), np.uint8)


def _decode(data: bytes, kind: Kind, where: str) -> tuple[Pixels, bool]:
    try:
        image = open_picture(data, kind, where)
    except UnidentifiedImageError:
        if kind != "TIFF":
            raise
        return _decode_foreign_tiff(data, where), False
    _refuse_thumbnail(image, where)
    is_lossy = kind in _LOSSY_KINDS or (kind == "WEBP" and b"VP8 " in data[12:64])
    is_deep = _has_sixteen_bits(image, data, kind)
    orientation = image.getexif().get(ORIENTATION_TAG, 1)
    inverted = kind == "TIFF" and _tag(image, PHOTOMETRIC_TAG) == 0
    image.load()
    if image.mode in SIXTEEN_BIT_MODES:
        return _deep_grey(image, inverted=inverted), is_lossy
    if image.mode == "I" and kind == "PPM":
        return np.asarray(image).astype(np.uint16)[..., None], is_lossy  # scaled to 65535
    if image.mode in ("I", "F"):
        raise TargetError(
            f"Cannot load {where}: expected 8 or 16 bits a channel, got mode {image.mode!r} of "
            "32 bits. Convert it to 16 bits."
        )
    shallow = eight_bit_pixels(ImageOps.exif_transpose(image))
    if not is_deep:
        return shallow, is_lossy
    return _checked_deep(data, kind, orientation, shallow, where), is_lossy


def _tag(image: Image.Image, tag: int) -> object:
    """A TIFF tag that Pillow keeps beside the image."""
    return image.tag_v2.get(tag) if isinstance(image, TiffImageFile) else None


def _has_sixteen_bits(image: Image.Image, data: bytes, kind: Kind) -> bool:
    if kind == "PNG":
        return data[12:16] == b"IHDR" and data[24] == 16
    bits = _tag(image, BITS_PER_SAMPLE_TAG)
    return isinstance(bits, tuple) and set(bits) == {16}


def _deep_grey(image: Image.Image, *, inverted: bool) -> NDArray[np.uint16]:
    """Grey of 16 bits, with alpha (height, width, 2) where one value stands for transparent."""
    clear = image.info.get("transparency")
    upright = ImageOps.exif_transpose(image)
    # Mode I;16B is big-endian; the cast makes it native.
    grey = np.asarray(upright).astype(np.uint16)[..., None]
    if inverted:
        grey = np.uint16(65535) - grey
    if isinstance(clear, int):
        alpha = np.where(grey == clear, 0, 65535).astype(np.uint16)
        return np.concatenate([grey, alpha], axis=-1)
    return grey


def _decode_sixteen_bits(data: bytes, kind: Kind) -> NDArray[np.uint16]:
    """Decode (height, width, 1..4) with FFmpeg's own decoder for this kind."""
    context = VideoCodecContext.create("png" if kind == "PNG" else "tiff", "r")
    context.thread_count = 1
    frame = [*context.decode(av.Packet(data)), *context.decode(None)][0]
    layouts = {"gray16": 1, "ya16": 2, "rgb48": 3, "rgba64": 4}
    layout, order = frame.format.name[:-2], frame.format.name[-2:]
    channels = layouts[layout]
    plane = frame.planes[0]
    samples = np.frombuffer(bytes(plane), ">u2" if order == "be" else "<u2")
    rows = samples.reshape(-1, plane.line_size // 2)[: frame.height, : frame.width * channels]
    return np.array(rows.reshape(frame.height, frame.width, channels), np.uint16)


def _decode_foreign_tiff(data: bytes, where: str) -> NDArray[np.uint16]:
    """Decode a layout that Pillow does not know, such as grey with alpha at 16 bits."""
    directory = ImageFileDirectory_v2(data[:8])
    stream = io.BytesIO(data)
    stream.seek(directory.next)
    directory.load(stream)
    check_picture_size(where, int(directory[WIDTH_TAG]), int(directory[HEIGHT_TAG]))
    _refuse_samples(directory, where)
    return orient_pixels(_decode_sixteen_bits(data, "TIFF"), directory.get(ORIENTATION_TAG))


def _refuse_samples(directory: ImageFileDirectory_v2, where: str) -> None:
    """Refuse numbers that are no channels of 8 or 16 bits, such as measurements in float64."""
    bits = directory.get(BITS_PER_SAMPLE_TAG, (1,))
    formats = directory.get(SAMPLE_FORMAT_TAG, (1,))
    if set(bits) <= {8, 16} and set(formats) == {1}:
        return
    kind = _SAMPLE_FORMATS.get(formats[0], "an unknown type")
    raise TargetError(
        f"Cannot load {where}: expected unsigned integers of 8 or 16 bits a channel, got {kind} of "
        f"{bits[0]} bits. Scale them to 0 to 65535 and write a 16-bit PNG."
    )


def _refuse_thumbnail(image: Image.Image, where: str) -> None:
    """Refuse a TIFF whose first page stands for a larger one, as raw photographs have it."""
    kind = _tag(image, SUBFILE_TYPE_TAG)
    if isinstance(kind, int) and kind & 1:
        raise TargetError(
            f"Cannot load {where}: expected a picture in the first page, got the thumbnail of a "
            "raw photograph. Convert it to PNG."
        )


def orient_pixels(pixels: NDArray[Depth], orientation: object) -> NDArray[Depth]:
    """Turn stored pixels upright (Exif 2.32, section 4.6.4, tag Orientation)."""
    match orientation:
        case 2:
            turned = pixels[:, ::-1]
        case 3:
            turned = pixels[::-1, ::-1]
        case 4:
            turned = pixels[::-1]
        case 5:
            turned = pixels.swapaxes(0, 1)
        case 6:
            turned = np.rot90(pixels, -1)
        case 7:
            turned = pixels[::-1, ::-1].swapaxes(0, 1)
        case 8:
            turned = np.rot90(pixels)
        case _:
            turned = pixels
    return np.ascontiguousarray(turned)


def _checked_deep(
    data: bytes, kind: Kind, orientation: object, shallow: NDArray[np.uint8], where: str
) -> NDArray[np.uint16]:
    """Decode 16 bits with two independent decoders, and compare them.

    Swapped bytes, swapped channels and wrong turns show as a difference.
    """
    try:
        deep = orient_pixels(_decode_sixteen_bits(data, kind), orientation)
        colour = 1 if deep.shape[-1] < 3 else 3
        high = (deep[..., :colour] >> 8).astype(np.int16)
        # One decoder rounds to 8 bits and the other cuts.
        same = high.shape[:2] == shallow.shape[:2] and bool(
            (np.abs(high - shallow[..., :colour].astype(np.int16)) <= 1).all()
        )
    except (av.FFmpegError, KeyError):  # a layout that this decoder does not know
        same = False
    if not same:
        raise TargetError(
            f"Cannot load {where}: expected 16-bit channels of grey or RGB in a common layout, got "
            "one that two decoders read differently. Convert it to a 16-bit PNG."
        )
    return deep

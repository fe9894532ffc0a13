"""Clips: mp4 and webm by PyAV; animated GIF, WebP and PNG by Pillow, which composes them."""

import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from bitfold.errors import TargetError
from bitfold.targets.frames import (
    Frames,
    check_clip_size,
    check_picture_size,
    composite_over_white,
    drop_equal_channels,
)
from bitfold.targets.picture import eight_bit_pixels, open_picture
from bitfold.targets.signature import Kind, check_complete, one_line

# Players show a frame without a duration this long.
DEFAULT_FRAME_MILLISECONDS = 100.0
ANIMATED_KINDS: frozenset[Kind] = frozenset({"GIF", "WEBP", "PNG"})


def read_video(path: Path, kind: Kind) -> Frames:
    """Read every frame of an mp4 or webm as 8-bit RGB, turned upright, alpha over white.

    Frames count as evenly spaced. YUV without a stated matrix is read as BT.601, as FFmpeg does.

    PyAV decodes.

    Args:
        path: the file.
        kind: "MP4" or "WEBM".

    Returns:
        (frames, height, width, 1 | 3) uint8.

    Raises:
        TargetError: it is damaged, truncated, has no video, or goes beyond MAX_CLIP_FRAMES frames
            or MAX_CLIP_BYTES bytes.
    """
    where = repr(str(path))
    try:
        with path.open("rb") as stream:
            check_complete(stream, kind, where)
            stream.seek(0)
            # One named demuxer: others would follow what a file says to other files.
            name = "mov" if kind == "MP4" else "matroska"
            with av.open(stream, "r", format=name, metadata_errors="ignore") as container:
                return _read_container(container, where)
    except TargetError:
        raise
    except Exception as error:  # decoders of hostile files raise nearly everything
        raise _damaged(where, kind, error) from error


def read_animation(path: Path, kind: Kind) -> Frames | None:
    """Read every frame of an animated GIF, WebP or PNG; None if it is a still picture.

    Frames count as evenly spaced, at the mean of their durations.

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
        raise _damaged(where, kind, error) from error


def _damaged(where: str, kind: Kind, error: Exception) -> TargetError:
    text = error.strerror if isinstance(error, av.FFmpegError) else None
    return TargetError(
        f"Cannot load {where}: expected a complete {kind} file, got a damaged one "
        f"({text or one_line(error)}). Copy or download it again."
    )


def _read_animated(image: Image.Image, numbers: range, kind: Kind, data: bytes) -> Frames:
    pixels = np.empty((len(numbers), image.height, image.width, 3), np.uint8)
    milliseconds = 0.0
    for place, number in enumerate(numbers):
        image.seek(number)
        image.load()
        pixels[place] = _opaque(eight_bit_pixels(image))
        duration = image.info.get("duration", 0)
        milliseconds += float(duration) or DEFAULT_FRAME_MILLISECONDS
    return Frames(
        drop_equal_channels(pixels),
        frames_per_second=1000.0 * len(numbers) / milliseconds,
        is_lossy=kind == "WEBP" and b"VP8 " in data,
    )


def _read_container(container: InputContainer, where: str) -> Frames:
    # A stream of an unknown codec has no decoder.
    streams = [stream for stream in container.streams.video if stream.codec_context is not None]
    if not streams:
        raise TargetError(
            f"Cannot load {where}: expected a video of a known codec, got a file without one. "
            "Convert it to H.264 or VP9."
        )
    stream = streams[0]
    check_picture_size(where, stream.width, stream.height)
    announced = stream.frames
    check_clip_size(where, max(announced, 1), stream.width, stream.height)
    frames: list[NDArray[np.uint8]] = []
    for pixels in _video_frames(container, stream):
        if frames and pixels.shape != frames[0].shape:
            raise TargetError(
                f"Cannot load {where}: expected frames of one size, got {frames[0].shape[:2]} and "
                f"{pixels.shape[:2]} at frame {len(frames)}. Convert it to one size."
            )
        frames.append(pixels)
        check_clip_size(where, len(frames), pixels.shape[1], pixels.shape[0])
    if not frames:
        raise TargetError(
            f"Cannot load {where}: expected at least one frame, got none. Use another clip."
        )
    rate = stream.average_rate or stream.guessed_rate
    return Frames(drop_equal_channels(np.stack(frames)), _frames_per_second(rate), is_lossy=True)


def _video_frames(container: InputContainer, stream: VideoStream) -> Iterator[NDArray[np.uint8]]:
    for frame in container.decode(stream):
        has_alpha = any(component.is_alpha for component in frame.format.components)
        pixels = frame.to_ndarray(format="rgba" if has_alpha else "rgb24")
        upright = np.rot90(_opaque(np.asarray(pixels, np.uint8)), frame.rotation // 90)
        yield np.ascontiguousarray(upright)


def _opaque(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.shape[-1] == 4:
        return composite_over_white(pixels).astype(np.uint8, copy=False)
    return pixels


def _frames_per_second(rate: Fraction | None) -> float | None:
    return float(rate) if rate else None

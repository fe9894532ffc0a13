"""Clips from mp4 and webm, turned as the container says and timed as its packets say."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from bitfold.errors import TargetError
from bitfold.targets.containers import check_complete
from bitfold.targets.frames import (
    Frames,
    check_clip_size,
    check_picture_size,
    composite_over_white,
    drop_equal_channels,
    edges_of_durations,
)
from bitfold.targets.signature import Kind, damaged_file

# A container rounds times to its clock, so frames of a constant rate may lie one tick off.
_ROUNDING_TICKS = 1.0
# Bits of a component up to which frames are converted to colours in one go.
_EIGHT_BITS = 8
# The number of the matrix of BT.709 in ITU-T H.273.
_BT709 = 1


def read_video(path: Path, kind: Kind) -> Frames:
    """Read every frame of an mp4 or webm as 8-bit RGB, alpha over white.

    Of several videos the one that FFmpeg would show is read, never a cover picture. Frames are
    turned and mirrored as the display matrix says. Where the rate varies, `Frames.edges` has the
    presentation times. YUV without a stated matrix is read as BT.601, as FFmpeg does.

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
        text = error.strerror if isinstance(error, av.FFmpegError) else None
        raise damaged_file(where, kind, error, text) from error


def orient_frame(pixels: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Turn and mirror a stored frame as a display matrix says, to the nearest quarter turn.

    Source: ISO/IEC 14496-12, section 8.3.2: (x, y) is shown at (a x + c y, b x + d y).

    Args:
        pixels: (height, width, channels).
        matrix: a, b, c, d in any unit.

    Returns:
        The same pixels, contiguous; height and width change places at a quarter turn.

    >>> stored = np.array([[[1], [2]], [[3], [4]]], np.uint8)
    >>> orient_frame(stored, (-1, 0, 0, 1))[..., 0].tolist()  # mirrored left to right
    [[2, 1], [4, 3]]
    >>> orient_frame(stored, (0, 1, -1, 0))[..., 0].tolist()  # a quarter turn clockwise
    [[3, 1], [4, 2]]
    """
    a, b, c, d = matrix
    if abs(a) + abs(d) >= abs(b) + abs(c):
        across, down = a, d
    else:
        pixels = pixels.swapaxes(0, 1)
        across, down = c, b
    if across < 0:
        pixels = pixels[:, ::-1]
    if down < 0:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _read_container(container: InputContainer, where: str) -> Frames:
    stream = _best_stream(container, where)
    check_picture_size(where, stream.width, stream.height)
    announced = stream.frames
    check_clip_size(where, max(announced, 1), stream.width, stream.height)
    frames, times = list[NDArray[np.uint8]](), list[tuple[int | None, int]]()
    for frame in container.decode(stream):
        pixels = _upright_pixels(frame)
        if frames and pixels.shape != frames[0].shape:
            raise TargetError(
                f"Cannot load {where}: expected frames of one size, got {frames[0].shape[:2]} and "
                f"{pixels.shape[:2]} at frame {len(frames)}. Convert it to one size."
            )
        frames.append(pixels)
        times.append((frame.pts, frame.duration or 0))
        check_clip_size(where, len(frames), pixels.shape[1], pixels.shape[0])
    if not frames:
        raise TargetError(
            f"Cannot load {where}: expected at least one frame, got none. Use another clip."
        )
    rate: Fraction | None = stream.average_rate or stream.guessed_rate
    return Frames(
        drop_equal_channels(np.stack(frames)),
        float(rate) if rate else None,
        is_lossy=True,
        edges=_edges_of_times(times),
    )


def _best_stream(container: InputContainer, where: str) -> VideoStream:
    """The video that FFmpeg would show; a cover picture is none."""
    # A stream of an unknown codec has no decoder.
    streams = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        raise TargetError(
            f"Cannot load {where}: expected a video of a known codec, got a file without one. "
            "Convert it to H.264 or VP9."
        )
    best = container.streams.best("video")
    return next((stream for stream in streams if stream is best), streams[0])


def _upright_pixels(frame: VideoFrame) -> NDArray[np.uint8]:
    has_alpha = any(component.is_alpha for component in frame.format.components)
    pixels = _colours(frame, "rgba" if has_alpha else "rgb24")
    if max(component.bits for component in frame.format.components) > _EIGHT_BITS:
        # FFmpeg's quick way from more bits to interleaved colours turns white into 253.
        pixels[..., :3] = _colours(frame, "gbrp")
    if has_alpha:
        pixels = composite_over_white(pixels).astype(np.uint8, copy=False)
    stored: object = frame.side_data.get("DISPLAYMATRIX")
    if stored is None:
        return np.ascontiguousarray(pixels)
    a, b, _, c, d = np.frombuffer(bytes(stored), np.int32)[:5].tolist()  # type: ignore[call-overload]
    return orient_frame(pixels, (a, b, c, d))


def _colours(frame: VideoFrame, layout: str) -> NDArray[np.uint8]:
    """Convert a frame to colours by the matrix that it states."""
    if frame.colorspace != _BT709:
        return np.asarray(frame.to_ndarray(format=layout), np.uint8)
    # PyAV 15 and 16 take BT.601 unless both matrices are given and differ; colours have none.
    shown = frame.to_ndarray(
        format=layout, src_colorspace=Colorspace.ITU709, dst_colorspace=Colorspace.ITU601
    )
    return np.asarray(shown, np.uint8)


def _edges_of_times(times: list[tuple[int | None, int]]) -> tuple[float, ...] | None:
    """Times between frames, from each frame's presentation time and duration in ticks.

    None if the rate is constant, or if the times do not ascend.
    """
    starts = [start for start, _ in times if start is not None]
    if len(starts) < max(3, len(times)):
        return None
    ticks = np.array(starts, np.float64)
    steps = np.diff(ticks)
    constant = np.linspace(ticks[0], ticks[-1], len(ticks))
    if (steps <= 0).any() or np.abs(ticks - constant).max() <= _ROUNDING_TICKS:
        return None
    last = times[-1][1] or float(np.median(steps))
    return edges_of_durations(np.append(steps, last))

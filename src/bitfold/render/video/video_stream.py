"""An H.264 stream that every browser plays: size, colours and settings of the encoder."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream

from bitfold.render.video.video_file import file_url

LARGEST_WIDTH_PX: Final = 3840
# Level 5.1 of H.264 (ITU-T H.264, table A-1) allows 36,864 macroblocks of 256 pixels in a frame;
# decoders of browsers support no more.
LARGEST_AREA_PX: Final = 36_864 * 256
SMALLEST_SIDE_PX: Final = 2
# ITU-T H.273 numbers the primaries, the transfer and the matrix of BT.709 all 1.
BT709: Final = 1
LIMITED_RANGE: Final = 1
# Each frame is a fragment, so that a kill loses the last frame at most.
FRAGMENTED: Final = {
    "movflags": "frag_every_frame+empty_moov+default_base_moof",
    "flush_packets": "1",
}


def video_size(width: int, height: int) -> tuple[int, int]:
    """Return the size at which frames are encoded: even, and small enough for browsers.

    Source: ITU-T H.264 (2021), table A-1, for the largest area.

    Args:
        width: width of the frames, >= 1.
        height: height of the frames, >= 1.

    Returns:
        Width, at most 3840, and height; their ratio is kept up to rounding.

    >>> video_size(641, 480), video_size(7680, 1080)
    ((642, 480), (3840, 540))
    """
    scale = min(1.0, LARGEST_WIDTH_PX / width, math.sqrt(LARGEST_AREA_PX / (width * height)))
    if scale == 1.0:
        return width + width % 2, height + height % 2
    shrunk = [max(SMALLEST_SIDE_PX, int(scale * side) // 2 * 2) for side in (width, height)]
    return shrunk[0], shrunk[1]


def open_fragmented(
    path: Path, size: tuple[int, int], rate: Fraction, *, crf: int, num_threads: int
) -> tuple[OutputContainer, VideoStream]:
    """Create a fragmented mp4 and write its header.

    The encoder delays no frame and makes no B-frames, so that a video can be cut after any packet.
    It writes packets and parameter sets in the format of mp4 files (``annexb=0``), so that packets
    of an older file can precede them.

    Source: ISO/IEC 14496-12 and 14496-15; encoded by x264.

    Args:
        path: path of the file; an existing file is replaced.
        size: width and height, even.
        rate: frames per second.
        crf: x264's constant rate factor, 0 to 51.
        num_threads: number of threads of the encoder.

    Returns:
        The container and its only stream.

    Raises:
        av.error.FFmpegError or OSError: the file cannot be written.
    """
    # The path may have another suffix, so the format is given.
    container = av.open(file_url(path), "w", format="mp4", options=FRAGMENTED)
    stream = container.add_stream("libx264", rate=rate)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = num_threads
    context.max_b_frames = 0
    # One keyframe per second, but never two in a row.
    context.gop_size = max(2, round(rate))
    context.options = {
        "preset": "veryfast", "tune": "zerolatency", "crf": str(crf), "sc_threshold": "0",
        "x264-params": "annexb=0",
    }  # fmt: skip
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = LIMITED_RANGE
    context.open()
    container.start_encoding()
    return container, stream


def video_frame(rgb: npt.NDArray[np.uint8], size: tuple[int, int]) -> VideoFrame:
    """Convert a picture to a frame with the size and colours of a video.

    Source: ITU-R BT.709-6, section 3, for the matrix and the range.

    Args:
        rgb: uint8 (height, width, 3).
        size: width and height, even; a missing row or column is filled by the edge.

    Returns:
        A frame in yuv420p.

    >>> video_frame(np.zeros((3, 5, 3), np.uint8), (6, 4)).format.name
    'yuv420p'
    """
    height, width = rgb.shape[:2]
    missing = (size[1] - height, size[0] - width)
    if all(0 <= lack <= 1 for lack in missing):
        if any(missing):
            rgb = np.pad(rgb, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
        interpolation = Interpolation.BICUBIC
    else:
        interpolation = Interpolation.AREA
    return VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
        width=size[0],
        height=size[1],
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=interpolation,
    )

"""H.264 as every browser plays it: size, colours and settings of the one stream of a video."""

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

LARGEST_WIDTH_PX: Final = 3840
# Level 5.1 of H.264 (ITU-T H.264, table A-1) ends at 36,864 macroblocks of 256 pixels a frame, and
# so do the decoders of browsers.
LARGEST_AREA_PX: Final = 36_864 * 256
SMALLEST_SIDE_PX: Final = 2
# ITU-T H.273: primaries, transfer and matrix of BT.709 are all 1; the range is the limited one.
BT709: Final = 1
LIMITED_RANGE: Final = 1
# Every frame is a fragment of its own, so that a kill costs none but the last.
FRAGMENTED: Final = {
    "movflags": "frag_every_frame+empty_moov+default_base_moof",
    "flush_packets": "1",
}


def video_size(width: int, height: int) -> tuple[int, int]:
    """Give the size at which frames are encoded: even, and no larger than browsers play.

    Source: ITU-T H.264 (2021), table A-1, for the largest area.

    Args:
        width: of the frames, >= 1.
        height: of the frames, >= 1.

    Returns:
        Width, at most 3840, and height, in the same ratio but for rounding.

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
    """Create a fragmented mp4 and write its head.

    The encoder holds no frame back and makes no B-frames, so that packets can be cut anywhere. Its
    packets and parameter sets come in the form in which an mp4 keeps them (``annexb=0``), so that
    those of an older file can be put before them.

    Source: ISO/IEC 14496-12 and 14496-15; encoded by x264.

    Args:
        path: of the file; an existing one is replaced.
        size: width and height, even.
        rate: frames a second.
        crf: x264's constant rate factor, 0 to 51.
        num_threads: that the encoder uses.

    Returns:
        The container and its one stream.

    Raises:
        av.error.FFmpegError or OSError: the file cannot be written.
    """
    # mp4 is named because the path's suffix need not tell.
    container = av.open(str(path), "w", format="mp4", options=FRAGMENTED)
    stream = container.add_stream("libx264", rate=rate)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = num_threads
    context.max_b_frames = 0
    # One keyframe a second; at least two frames apart, so that none stands next to another.
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
    """Turn a picture into a frame of the video's size and colours.

    Source: ITU-R BT.709-6, section 3, for the matrix and the range.

    Args:
        rgb: uint8 (height, width, 3).
        size: width and height, even; one more than the picture's is filled by its edge.

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

"""Tests of a video container's information beside its frames."""

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from bitfold.errors import TargetError
from bitfold.render import VideoWriter
from bitfold.targets import Target, load_target
from bitfold.targets.file import read_target, write_target
from bitfold.targets.video import read_video

ONE = 1 << 16


def set_display_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Replace a, b, c, d of an mp4's track (ISO/IEC 14496-12, 8.3.2; version 0 of tkhd)."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    a, b, c, d = (ONE * number for number in matrix)
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def shown_at(matrix: tuple[int, int, int, int], stored: Any) -> Any:
    """Move every pixel (x, y) to (a x + c y, b x + d y), one by one."""
    a, b, c, d = matrix
    height, width = stored.shape[:2]
    y, x = np.mgrid[:height, :width]
    x_shown, y_shown = a * x + c * y, b * x + d * y
    shown = np.empty((np.ptp(y_shown) + 1, np.ptp(x_shown) + 1, 3), stored.dtype)
    shown[y_shown - y_shown.min(), x_shown - x_shown.min()] = stored
    return shown


@pytest.mark.parametrize(
    "matrix",
    [
        (1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1),
        (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0),
    ],
)  # fmt: skip
def test_frames_are_turned_and_mirrored(
    write_video: Any, corner_colours: Any, matrix: tuple[int, int, int, int]
) -> None:
    """All eight ways to hold a telephone, mirrored or not, come out upright."""
    stored = corner_colours(64)[:, :48]
    path = write_video("a.mp4", np.stack([stored] * 2), pixel_format="yuv444p")
    set_display_matrix(path, matrix)
    pixels = load_target(str(path), task="regression").pixels
    expected = shown_at(matrix, stored)
    assert pixels.shape[1:] == expected.shape
    assert np.abs(pixels[0].astype(int) - expected).mean() < 3


def box(name: bytes, *parts: bytes) -> bytes:
    """Make a box of an mp4."""
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name + body


def put_cover_first(path: Path) -> None:
    """Put a red cover picture before the video of an mp4, as programs for tags do."""
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), (255, 0, 0)).save(picture, "JPEG")
    cover = box(b"covr", box(b"data", struct.pack(">II", 13, 0), picture.getvalue()))
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    tags = box(b"udta", box(b"meta", bytes(4), handler, box(b"ilst", cover)))
    data = path.read_bytes()
    start = data.index(b"moov") - 4  # it is the last box, so that no offset after it changes
    old_tags = data.index(b"udta", start) - 4
    path.write_bytes(data[:start] + box(b"moov", tags, data[start + 8 : old_tags]))


def test_a_cover_picture_is_no_clip(write_video: Any, corner_colours: Any) -> None:
    """If a file has a cover and a video, the video is read, wherever the cover is."""
    path = write_video("a.mp4", np.stack([corner_colours(48)] * 3))
    put_cover_first(path)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "mjpeg"
    assert load_target(str(path)).pixels.shape == (3, 48, 48, 3)


def test_a_cover_without_a_video_is_refused(tmp_path: Path) -> None:
    """The cover of a sound file is not learned."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux([*stream.encode(frame), *stream.encode(None)])
    put_cover_first(path)
    with pytest.raises(TargetError, match="expected a video of a known codec"):
        load_target(str(path))


def test_bytes_behind_an_mp4_are_ignored(write_video: Any, corner_colours: Any) -> None:
    """A file with bytes appended gives the same frames."""
    path = write_video("a.mp4", np.stack([corner_colours(32)] * 3))
    whole = load_target(str(path)).pixels
    for more in (b"\0", b"appended by a camera", bytes(1000)):
        path.write_bytes(path.read_bytes() + more)
        np.testing.assert_array_equal(load_target(str(path)).pixels, whole)


def write_timed_video(path: Path, times: list[int], ticks_per_second: int) -> None:
    """Write grey frames at given times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=ticks_per_second, options={"bf": "0"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        clock = Fraction(1, ticks_per_second)
        stream.time_base = stream.codec_context.time_base = clock
        for number, time in enumerate(times):
            pixels = np.full((32, 32, 3), 60 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, clock
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_frames_keep_their_presentation_times(tmp_path: Path, name: str) -> None:
    """Frames of a clip of variable rate lie at the middle of the time that they are shown."""
    path = tmp_path / name
    write_timed_video(path, [0, 10, 20, 60], 100)
    grid = load_target(str(path)).grid
    assert grid.frame_edges is not None
    # The last frame's duration comes from the container, or is the usual one.
    seconds = (np.array(grid.frame_edges) + 0.5) / (grid.frame_edges[1] + 0.5) * 0.1
    np.testing.assert_allclose(seconds[:4], [0, 0.1, 0.2, 0.6], atol=0.002)
    points = grid.coordinates(np.arange(4) * 32 * 32)
    middles = (np.array(grid.frame_edges[:-1]) + grid.frame_edges[1:]) / 2
    np.testing.assert_array_equal(points[:, 2], middles.astype(np.float32))
    assert (grid.indices(points) // (32 * 32)).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("times", "clock"), [([0, 1, 2, 3], 10), ([0, 33, 67, 100, 133], 1000), ([5, 6, 7], 25)]
)
def test_a_constant_rate_is_evenly_spaced(tmp_path: Path, times: list[int], clock: int) -> None:
    """A constant rate, also one that the clock of the container rounds, has no times of its own."""
    write_timed_video(tmp_path / "a.mkv", times, clock)
    target = load_target(str(tmp_path / "a.mkv"))
    assert target.frame_edges is None
    count = len(times)
    points = target.grid.coordinates(np.arange(count) * 32 * 32)
    even = ((np.arange(count) + 0.5) / count - 0.5).astype(np.float32)
    np.testing.assert_array_equal(points[:, 2], even)


def test_times_survive_in_the_run_folder(tmp_path: Path) -> None:
    """A target on disk keeps the times of its frames; one without has no such array."""
    pixels = np.zeros((3, 2, 2, 1), np.uint8)
    timed = Target("a", pixels, "regression", True, 10.0, frame_edges=(-0.5, -0.3, 0.25, 0.5))
    write_target(tmp_path / "timed", timed)
    assert read_target(tmp_path / "timed").grid == timed.grid
    write_target(tmp_path / "even", Target("a", pixels, "regression", True, 10.0))
    assert read_target(tmp_path / "even").frame_edges is None
    assert b"frame_edges" not in (tmp_path / "even").read_bytes()


@pytest.mark.parametrize(
    "edges",
    [(-0.5, 0.5), (-0.5, 0.1, 0.1, 0.5), (-0.5, 0.0, float("nan"), 0.5), (0.0, 0.1, 0.2, 0.5)],
)
def test_times_that_do_not_ascend_are_refused(edges: Any) -> None:
    """Times of frames begin at -0.5, ascend, and end at 0.5."""
    with pytest.raises(TargetError, match=r"4 times that ascend from -0\.5 to 0\.5"):
        Target("a", np.zeros((3, 2, 2, 1), np.uint8), "regression", True, frame_edges=edges)


@pytest.mark.parametrize("pixel_format", ["yuv420p10le", "yuv444p12le", "gray16le", "gbrp10le"])
def test_more_than_eight_bits_keep_white_white(tmp_path: Path, pixel_format: str) -> None:
    """Each level comes out to within 1 of 255, as from 8 bits; FFmpeg's quick way takes 2 off."""
    levels = [0, 20, 120, 220, 255]
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 24, pixel_format
        for number, level in enumerate(levels):
            grey = np.full((24, 32, 3), level, np.uint8)
            grey[:, :16, 2] = 0
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format=pixel_format)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    pixels = load_target(str(path), task="regression").pixels.astype(int)
    for found, level in zip(pixels, levels, strict=True):
        # The right half is grey; the left half has no blue, unless the format has no colours.
        assert np.abs(found[:, 20:] - level).max() <= 1
        if pixel_format != "gray16le":
            assert np.abs(found[:, 2:12] - np.array([level, level, 0])).max() <= 2


def test_the_matrix_that_a_video_states_is_obeyed(tmp_path: Path) -> None:
    """Colours of a video in BT.709 are those that were written, with every version of PyAV."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (213, 94, 0)]
    path = tmp_path / "a.mp4"
    with VideoWriter(path, width=64, height=32, frames_per_second=10) as video:
        for colour in colours:
            video.append(np.full((32, 64, 3), colour, np.uint8))
    shown = read_video(path, "MP4").pixels.reshape(len(colours), -1, 3).mean(axis=1)
    assert np.abs(shown - colours).max() <= 4

"""Videos: colours, sizes, kills and continuing."""

import os
import resource
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.reformatter import Colorspace

import bitfold.render.video.video
from bitfold.errors import RenderError
from bitfold.render import VideoWriter
from bitfold.render.video.video_file import previous_path
from bitfold.render.video.video_stream import video_size

WIDTH, HEIGHT, RATE = 96, 64, 10
# A flat colour comes back within a rounding step in each of Y, Cb and Cr.
COLOUR_TOLERANCE = 4

CHILD = """
import sys, time
import numpy as np
from bitfold.render.video.video import VideoWriter
writer = VideoWriter(sys.argv[1], width=96, height=64, frames_per_second=10)
while True:
    writer.append(np.full((64, 96, 3), 5 * writer.num_frames % 250, np.uint8))
    print(writer.num_frames, flush=True)
    time.sleep(0.002)
"""

COPYING_CHILD = """
import os, signal, sys
from bitfold.render.video import video
def stopping(path, keep, context, kept=video.kept_packets):
    for number, packet in enumerate(kept(path, keep, context)):
        if number == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        yield packet
video.kept_packets = stopping
video.VideoWriter.continued(sys.argv[1], num_frames=20, width=96, height=64, frames_per_second=10)
"""


def picture(number: int) -> npt.NDArray[np.uint8]:
    """Return a grey that identifies a frame's number."""
    return np.full((HEIGHT, WIDTH, 3), 5 * number % 250, dtype=np.uint8)


def write(path: Path, numbers: range, writer: VideoWriter | None = None) -> None:
    """Append pictures to a new or given video, and close it."""
    with writer or VideoWriter(path, width=WIDTH, height=HEIGHT, frames_per_second=RATE) as video:
        for number in numbers:
            video.append(picture(number))


def continued(path: Path, num_frames: int, width: int = WIDTH) -> VideoWriter:
    """Continue a video."""
    return VideoWriter.continued(
        path, num_frames=num_frames, width=width, height=HEIGHT, frames_per_second=RATE
    )


def _shown(frame: av.VideoFrame) -> av.VideoFrame:
    """Convert a frame as players do, by its own matrix; PyAV before 17 takes another by default."""
    source, other = Colorspace.ITU709, Colorspace.ITU601
    return frame.reformat(format="rgb24", src_colorspace=source, dst_colorspace=other)


def decoded(path: Path) -> list[npt.NDArray[np.uint8]]:
    """Decode all frames of a video."""
    with av.open(str(path)) as container:
        return [
            np.asarray(_shown(frame).to_ndarray(), np.uint8) for frame in container.decode(video=0)
        ]


def numbers(path: Path) -> list[int]:
    """Return the numbers of the pictures in a video."""
    return [round(float(frame.mean()) / 5) for frame in decoded(path)]


def child(code: str, path: Path) -> subprocess.Popen[str]:
    """Run code in another process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True, env=environment
    )


def test_a_video_shows_its_frames_in_order(tmp_path: Path) -> None:
    """Each appended frame is in the video once, at its time, in a format that browsers play."""
    path = tmp_path / "video.mp4"
    write(path, range(25))
    assert numbers(path) == list(range(25))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == RATE
        assert stream.frames == 25
        packets = [packet for packet in container.demux(stream) if packet.size]
        times = [cast(int, packet.pts) * packet.time_base for packet in packets]
    assert times == [Fraction(number, RATE) for number in range(25)]


def test_a_finished_video_has_its_index_first(tmp_path: Path) -> None:
    """A closed video can be played before it is loaded, has no fragments, and is the only file."""
    path = tmp_path / "video.mp4"
    write(path, range(5))
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    assert b"moof" not in content
    assert list(tmp_path.iterdir()) == [path]


def test_colours_do_not_shift(tmp_path: Path) -> None:
    """Red comes back as red, blue as blue, grey as grey: the matrix and the order are right."""
    colours = np.array(
        [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [128, 128, 128],
         [213, 94, 0], [0, 158, 115], [0, 114, 178], [247, 246, 243]]
    )  # fmt: skip
    path = tmp_path / "video.mp4"
    with VideoWriter(path, width=WIDTH, height=HEIGHT, frames_per_second=RATE) as writer:
        for colour in colours:
            writer.append(np.full((HEIGHT, WIDTH, 3), colour, dtype=np.uint8))
    shown = np.array([frame.reshape(-1, 3).mean(axis=0) for frame in decoded(path)])
    assert np.abs(shown - colours).max() <= COLOUR_TOLERANCE
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        tags = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        assert tags == (1, 1, 1, 1)


def test_one_keyframe_a_second_and_no_frame_out_of_order(tmp_path: Path) -> None:
    """There is a keyframe every second, to which players can jump."""
    path = tmp_path / "video.mp4"
    write(path, range(25))
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [number for number, packet in enumerate(packets) if packet.is_keyframe] == [0, 10, 20]
    assert all(packet.pts == packet.dts for packet in packets)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((64, 48), (64, 48)),
        ((63, 47), (64, 48)),
        ((1, 1), (2, 2)),
        ((3840, 2160), (3840, 2160)),
        ((7680, 2160), (3840, 1080)),
        ((3842, 100), (3840, 98)),
    ],
)
def test_sizes_are_even_and_at_most_3840_wide(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    """Odd sides grow by one, wide frames shrink in proportion."""
    assert video_size(*size) == expected


def test_tall_frames_stay_within_what_browsers_decode() -> None:
    """A frame of four rows of panels shrinks to 36,864 macroblocks, in proportion."""
    width, height = video_size(3700, 4400)
    assert width * height <= 36_864 * 256
    assert width / height == pytest.approx(3700 / 4400, rel=0.01)


def test_odd_frames_are_padded_by_their_edge(tmp_path: Path) -> None:
    """No column is cropped, and an added column repeats the last one."""
    path = tmp_path / "video.mp4"
    frame = np.zeros((33, 65, 3), dtype=np.uint8)
    frame[:, 33:] = 255
    with VideoWriter(path, width=65, height=33, frames_per_second=RATE) as writer:
        writer.append(frame)
    (shown,) = decoded(path)
    assert shown.shape == (34, 66, 3)
    assert shown[-1, -1].min() > 240
    assert np.abs(shown[:33, :65].astype(int) - frame).mean() < 6


def test_wide_frames_are_scaled_down(tmp_path: Path) -> None:
    """A frame of 4,000 columns keeps its halves in place."""
    path = tmp_path / "video.mp4"
    frame = np.zeros((40, 4000, 3), dtype=np.uint8)
    frame[:, 2000:] = 255
    with VideoWriter(path, width=4000, height=40, frames_per_second=RATE) as writer:
        writer.append(frame)
    (shown,) = decoded(path)
    assert shown.shape == (38, 3840, 3)
    assert shown[:, :1900].max() < 20
    assert shown[:, 1940:].min() > 235


def test_what_was_encoded_plays_after_a_kill(tmp_path: Path) -> None:
    """After a kill, a video lacks its last frame at most, and can be continued."""
    path = tmp_path / "video.mp4"
    process = child(CHILD, path)
    assert process.stdout is not None
    with process.stdout as lines:
        while int(lines.readline()) < 27:
            pass
        process.send_signal(signal.SIGKILL)
        told = 27 + len(lines.read().split())
    assert process.wait() == -signal.SIGKILL
    shown = numbers(path)
    assert told - 1 <= len(shown) <= told + 1
    assert shown == [number % 50 for number in range(len(shown))]
    writer = continued(path, 26)
    assert writer.num_frames == 26
    write(path, range(26, 40), writer)
    assert numbers(path) == list(range(40))


@pytest.mark.parametrize(("wanted", "kept"), [(0, 0), (1, 0), (2, 2), (11, 10), (17, 17), (99, 25)])
def test_a_video_is_continued_where_it_is_told(tmp_path: Path, wanted: int, kept: int) -> None:
    """A continued video keeps the wanted frames, or one less if the last would be a keyframe."""
    path = tmp_path / "video.mp4"
    write(path, range(25))
    writer = continued(path, wanted)
    assert writer.num_frames == kept
    write(path, range(kept, 31), writer)
    assert numbers(path) == list(range(31))
    assert list(tmp_path.iterdir()) == [path]


def test_kept_frames_are_the_old_ones(tmp_path: Path) -> None:
    """Kept frames are copied, not encoded again."""
    path = tmp_path / "video.mp4"
    write(path, range(25))
    before = decoded(path)
    continued(path, 25).close()
    assert all((old == new).all() for old, new in zip(before, decoded(path), strict=True))


def test_a_kill_while_frames_are_copied_loses_none(tmp_path: Path) -> None:
    """After a kill during the copy, the next writer continues the old video beside the new one."""
    path = tmp_path / "video.mp4"
    write(path, range(25))
    process = child(COPYING_CHILD, path)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert numbers(previous_path(path)) == list(range(25))
    writer = continued(path, 20)
    assert writer.num_frames == 20
    write(path, range(20, 30), writer)
    assert numbers(path) == list(range(30))
    assert list(tmp_path.iterdir()) == [path]


def test_another_size_or_a_damaged_file_begins_again(tmp_path: Path) -> None:
    """A video that cannot be continued is replaced, from frame 0."""
    path = tmp_path / "video.mp4"
    write(path, range(5))
    with continued(path, 5, width=128) as writer:
        assert writer.num_frames == 0
    path.write_bytes(b"this is no video" * 50)
    writer = continued(path, 5)
    assert writer.num_frames == 0
    write(path, range(3), writer)
    assert numbers(path) == [0, 1, 2]


def test_other_settings_begin_again(tmp_path: Path) -> None:
    """Frames with other parameter sets are not kept."""
    path = tmp_path / "video.mp4"
    with VideoWriter(path, width=WIDTH, height=HEIGHT, frames_per_second=24) as writer:
        for number in range(5):
            writer.append(picture(number))
    with continued(path, 5) as writer:
        assert writer.num_frames == 0


def test_a_truncated_video_keeps_what_it_has(tmp_path: Path) -> None:
    """Of a file that is cut within a frame, the complete frames before are kept."""
    path = tmp_path / "video.mp4"
    writer = VideoWriter(path, width=WIDTH, height=HEIGHT, frames_per_second=RATE)
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    sizes = []
    for number in range(9):
        writer.append(np.roll(noise, number, axis=1))
        sizes.append(path.stat().st_size)
    content = path.read_bytes()
    writer.close()
    path.write_bytes(content[: sizes[6] - 40])
    with continued(path, 99) as again:
        assert again.num_frames == 5
        again.append(noise)
    assert len(decoded(path)) == 6


def test_a_new_video_forgets_an_old_one(tmp_path: Path) -> None:
    """A new video ignores the rest of a continuation that was killed."""
    path = tmp_path / "video.mp4"
    write(path, range(5))
    path.rename(previous_path(path))
    write(path, range(9, 12))
    writer = continued(path, 3)
    writer.close()
    assert numbers(path) == [9, 10, 11]


def test_continuing_nothing_begins(tmp_path: Path) -> None:
    """Continuing a missing video begins a new one."""
    path = tmp_path / "video.mp4"
    writer = continued(path, 5)
    assert writer.num_frames == 0
    write(path, range(2), writer)
    assert numbers(path) == [0, 1]


def test_a_video_without_frames_is_removed(tmp_path: Path) -> None:
    """Closing at once leaves no file, and closing twice is fine."""
    path = tmp_path / "video.mp4"
    writer = VideoWriter(path, width=WIDTH, height=HEIGHT, frames_per_second=RATE)
    writer.close()
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_an_exception_of_the_caller_closes_the_video(tmp_path: Path) -> None:
    """The frames before an exception can be played."""
    path = tmp_path / "video.mp4"
    writer = VideoWriter(path, width=WIDTH, height=HEIGHT, frames_per_second=RATE)
    with pytest.raises(KeyboardInterrupt), writer:
        writer.append(picture(3))
        raise KeyboardInterrupt
    assert numbers(path) == [3]


def test_wrong_frames_are_refused(tmp_path: Path) -> None:
    """A frame of another size, and a frame after the end, are refused."""
    writer = VideoWriter(tmp_path / "v.mp4", width=WIDTH, height=HEIGHT, frames_per_second=RATE)
    with pytest.raises(RenderError, match="expected uint8"):
        writer.append(np.zeros((2, 2, 3), np.uint8))
    writer.close()
    with pytest.raises(RenderError, match="got a closed one"):
        writer.append(picture(0))


@pytest.mark.parametrize(
    ("width", "rate", "crf"), [(0, 10, 18), (96, 0, 18), (96, float("nan"), 18), (96, 10, 52)]
)
def test_settings_out_of_bounds_are_refused(
    tmp_path: Path, width: int, rate: float, crf: int
) -> None:
    """Wrong settings are refused before any file is written."""
    with pytest.raises(RenderError, match="expected"):
        VideoWriter(tmp_path / "v.mp4", width=width, height=HEIGHT, frames_per_second=rate, crf=crf)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    """A missing folder, and a path that is a folder, give an error."""
    for path in (tmp_path / "missing" / "video.mp4", tmp_path):
        with pytest.raises(RenderError, match=f"Cannot write the video {path}"):
            VideoWriter(path, width=WIDTH, height=HEIGHT, frames_per_second=RATE)


def test_a_full_disk_is_an_error_and_what_was_written_plays(tmp_path: Path) -> None:
    """If writing fails, the frames before are kept."""
    path = tmp_path / "video.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    old_limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    old_handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, old_limits[1]))
        writer = VideoWriter(path, width=WIDTH, height=HEIGHT, frames_per_second=RATE)
        with pytest.raises(RenderError, match="free space"):
            for number in range(500):
                writer.append(np.roll(noise, 7 * number, axis=1))
        writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limits)
        signal.signal(signal.SIGXFSZ, old_handler)
    assert 3 <= len(decoded(path)) <= writer.num_frames


def test_a_full_disk_at_the_end_leaves_the_fragments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the plain file cannot be written, the fragmented file is kept and can be played."""

    def fail(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bitfold.render.video.video, "remux", fail)
    path = tmp_path / "video.mp4"
    with pytest.raises(RenderError, match="Cannot finish the video"):
        write(path, range(5))
    assert numbers(path) == list(range(5))

"""Drawing a trajectory into frames and a video, in one go or in several."""

import errno
from contextlib import closing
from pathlib import Path

import av
import pytest

from bitfold.recording import Drawing, DrawingPaths, FrameStyle
from bitfold.recording import drawing as drawing_module
from bitfold.recording.files.drawing_paths import delete_other_frames, frame_path
from bitfold.runtime.atomic_files import write_atomically
from bitfold.training import Run, resume, train
from tests.recording.tiny_runs import tiny


def num_video_frames(path: Path) -> int:
    """Decode a video and count its frames."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def paths_in(folder: Path) -> DrawingPaths:
    """Return the paths of a drawing in a new folder."""
    return DrawingPaths(folder / "frames", folder / "video.mp4", folder / "last_frame.png")


def draw(run: Run, paths: DrawingPaths, **options: bool) -> list[int]:
    """Draw all new moments and return their epochs."""
    with closing(Drawing(run, FrameStyle.of(run.config), paths, **options)) as drawing:
        return list(drawing.draw_new())


def test_every_moment_becomes_one_frame(ring_run: Run, tmp_path: Path) -> None:
    """Each moment of the trajectory becomes one file and one frame of the video."""
    paths = paths_in(tmp_path)
    assert draw(ring_run, paths) == [0, 2, 4, 6]
    names = sorted(path.name for path in paths.frames.iterdir())
    assert names == [frame_path(paths.frames, epoch, "png").name for epoch in (0, 2, 4, 6)]
    assert num_video_frames(paths.video) == 4
    assert paths.last_frame.exists()


def test_drawing_goes_on_where_it_was_left(ring_run: Run, tmp_path: Path) -> None:
    """A second drawing completes the video and keeps existing frames."""
    paths = paths_in(tmp_path)
    first = Drawing(ring_run, FrameStyle.of(ring_run.config), paths)
    steps = first.draw_new()
    next(steps)
    next(steps)
    first.close()
    kept = frame_path(paths.frames, 2, "png")
    stamp = kept.stat().st_mtime_ns
    draw(ring_run, paths)
    assert num_video_frames(paths.video) == 4
    assert kept.stat().st_mtime_ns == stamp


def test_drawing_afresh_replaces_everything(ring_run: Run, tmp_path: Path) -> None:
    """With ``afresh`` an existing frame is drawn again."""
    paths = paths_in(tmp_path)
    draw(ring_run, paths)
    damaged = frame_path(paths.frames, 2, "png")
    damaged.write_bytes(b"old")
    draw(ring_run, paths, afresh=True)
    assert damaged.read_bytes()[:4] == b"\x89PNG"
    assert num_video_frames(paths.video) == 4


def test_continued_run_extends_the_video(tmp_path: Path) -> None:
    """After a continuation the video holds the old frames and the new ones, each once."""
    run = train(tiny(tmp_path / "run"))
    paths = DrawingPaths.of(run)
    draw(run, paths)
    longer = resume(run.path, epochs=10)
    draw(longer, paths)
    assert num_video_frames(paths.video) == len([0, 2, 4, 6, 8, 10])


def test_frames_that_the_trajectory_lacks_are_deleted(tmp_path: Path) -> None:
    """Frames of other epochs are deleted; the trajectory's frames and other files are kept."""
    for epoch in (1, 5, 9):
        frame_path(tmp_path, epoch, "png").touch()
    (tmp_path / "frame-notes.png").touch()
    delete_other_frames(tmp_path, {1, 5})
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"frame-000000001.png", "frame-000000005.png", "frame-notes.png"}


@pytest.mark.parametrize(("image_format", "magic"), [("jpg", b"\xff\xd8"), ("png", b"\x89P")])
def test_frames_have_their_format(
    ring_run: Run, tmp_path: Path, image_format: str, magic: bytes
) -> None:
    """Frames are written in the format of the style."""
    paths = paths_in(tmp_path)
    style = FrameStyle(longer_side_px=64, image_format=image_format)
    drawing = Drawing(ring_run, style, paths)
    list(drawing.draw_new())
    drawing.close()
    for epoch in (0, 2, 4, 6):
        assert frame_path(paths.frames, epoch, image_format).read_bytes()[:2] == magic


def test_no_single_frames_when_none_are_wanted(ring_run: Run, tmp_path: Path) -> None:
    """With the format ``none``, only the video is written."""
    paths = paths_in(tmp_path)
    drawing = Drawing(ring_run, FrameStyle(longer_side_px=64, image_format="none"), paths)
    list(drawing.draw_new())
    drawing.close()
    assert not paths.frames.exists()
    assert num_video_frames(paths.video) == 4


def test_a_frame_that_does_not_fit_on_the_disk_is_drawn_later(
    ring_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed write leaves no partial frame, and a later drawing draws the frame."""
    paths = paths_in(tmp_path)

    def refuse(path: Path, data: bytes, **options: bool) -> None:
        path.with_name(path.name + ".tmp").write_bytes(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(drawing_module, "write_atomically", refuse)
    with pytest.raises(OSError, match="No space left"):
        draw(ring_run, paths)
    monkeypatch.setattr(drawing_module, "write_atomically", write_atomically)
    draw(ring_run, paths)
    for epoch in (0, 2, 4, 6):
        assert frame_path(paths.frames, epoch, "png").read_bytes()[-8:-4] == b"IEND"

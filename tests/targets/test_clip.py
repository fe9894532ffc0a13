"""Tests of clips from files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bitfold.errors import TargetError
from bitfold.targets import load_target


def save_animation(path: Any, frames: Any, **options: Any) -> None:
    """Write frames as an animation with Pillow."""
    images = [Image.fromarray(pixels) for pixels in frames]
    images[0].save(path, save_all=True, append_images=images[1:], **options)


def moving_colours(corner_colours: Any, num_frames: Any = 4, size: Any = 64) -> Any:
    """Turn the corner colours by a quarter a frame, so that the order of frames shows."""
    return np.stack([np.rot90(corner_colours(size), turn) for turn in range(num_frames)])


VIDEO_OPTIONS: dict[str, dict[str, Any]] = {
    "mp4": {"codec": "libx264", "pixel_format": "yuv444p"},
    "webm": {"codec": "libvpx-vp9", "options": {"lossless": "1"}, "pixel_format": "yuv444p"},
}


@pytest.mark.parametrize("kind", VIDEO_OPTIONS)
def test_red_stays_red_in_videos(write_video: Any, corner_colours: Any, kind: Any) -> None:
    """Every frame of a video gives red, green, blue and black where they were, in order."""
    frames = moving_colours(corner_colours)
    path = write_video(f"a.{kind}", frames, **VIDEO_OPTIONS[kind])
    target = load_target(str(path), task="regression")
    assert (target.is_clip, target.in_features, target.out_features) == (True, 3, 3)
    assert target.pixels.shape == frames.shape
    assert target.frames_per_second == pytest.approx(10)
    assert np.abs(target.pixels.astype(int) - frames).mean() < 3
    centres = target.pixels[:, [8, 8, 56, 56], [8, 56, 8, 56]].astype(int)
    expected = frames[:, [8, 8, 56, 56], [8, 56, 8, 56]]
    assert np.abs(centres - expected).max() <= 8


@pytest.mark.parametrize(
    ("kind", "options"), [("gif", {}), ("webp", {"lossless": True}), ("png", {})]
)
def test_red_stays_red_in_animations(
    tmp_path: Path, corner_colours: Any, kind: str, options: Any
) -> None:
    """Every frame of an animated picture comes back exactly."""
    frames = moving_colours(corner_colours)
    path = tmp_path / f"a.{kind}"
    save_animation(path, frames, duration=50, loop=0, **options)
    target = load_target(str(path), task="regression")
    np.testing.assert_array_equal(target.pixels, frames)
    assert target.is_clip
    assert target.frames_per_second == pytest.approx(20)


@pytest.mark.parametrize("kind", ["mp4", "webm", "gif"])
def test_flat_clips_are_classified(
    tmp_path: Path, write_video: Any, corner_colours: Any, kind: str
) -> None:
    """Flat colours of a clip become classes, red, green and blue first."""
    frames = moving_colours(corner_colours)
    path = tmp_path / f"a.{kind}"
    if kind == "gif":
        save_animation(path, frames, duration=50)
    else:
        write_video(path.name, frames, **VIDEO_OPTIONS[kind])
    target = load_target(str(path))
    assert target.task == "classification"
    assert target.class_colours is not None
    assert target.classes is not None
    assert target.class_colours.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]
    classes = target.classes.reshape(frames.shape[:3])
    assert classes[:, 8, 8].tolist() == [0, 1, 3, 2]


@pytest.mark.parametrize("kind", ["mp4", "gif"])
def test_a_grey_clip_has_one_channel(tmp_path: Path, write_video: Any, kind: str) -> None:
    """A clip whose channels are equal everywhere is grey."""
    y, x = np.mgrid[:32, :48]
    frames = np.stack([((x * 3 + y + 40 * t) % 256).astype(np.uint8) for t in range(3)])
    frames = np.repeat(frames[..., None], 3, axis=-1)
    path = tmp_path / f"a.{kind}"
    if kind == "gif":
        save_animation(path, frames, duration=50)
    else:
        write_video(path.name, frames)
    target = load_target(str(path))
    assert (target.out_features, target.task) == (1, "regression")


@pytest.mark.parametrize("kind", ["gif", "mp4", "webp", "png"])
def test_one_frame_is_a_picture(
    tmp_path: Path, write_video: Any, corner_colours: Any, kind: str
) -> None:
    """A file with a single frame is a picture, whatever its format."""
    path = tmp_path / f"a.{kind}"
    if kind == "mp4":
        write_video(path.name, corner_colours(32)[None])
    else:
        save_animation(path, corner_colours(32)[None])
    target = load_target(str(path))
    assert (target.is_clip, target.in_features, target.frames_per_second) == (False, 2, None)


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_transparent_frames_are_over_white(tmp_path: Path, kind: str) -> None:
    """Each frame of an animation is composed over white, not over the frame before."""
    frames = np.zeros((3, 16, 16, 4), np.uint8)
    for number in range(3):
        frames[number, 4 * number : 4 * number + 4] = (200, 0, 0, 255)
    path = tmp_path / f"a.{kind}"
    # Without whole key frames the writer of WebP forgets to declare its alpha.
    webp = {"lossless": True, "kmin": 0, "kmax": 1}
    options = {"gif": {"disposal": 2}, "png": {"disposal": 1}, "webp": webp}[kind]
    save_animation(path, frames, duration=40, **options)
    target = load_target(str(path), task="regression")
    expected = np.where(frames[..., 3:] > 0, frames[..., :3], 255)
    np.testing.assert_array_equal(target.pixels, expected)


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_durations_give_times_and_the_mean_rate(
    tmp_path: Path, corner_colours: Any, kind: str
) -> None:
    """Frames of different durations are spaced as they are shown."""
    frames, path = moving_colours(corner_colours), tmp_path / f"a.{kind}"
    save_animation(path, frames, duration=[10, 30, 60, 100])
    target = load_target(str(path))
    assert target.frames_per_second == pytest.approx(20)
    assert target.grid.frame_edges == pytest.approx((-0.5, -0.45, -0.3, 0.0, 0.5))
    assert target.grid.frame_time(3) == pytest.approx(0.25)


def test_the_still_of_an_animated_png_is_no_frame(tmp_path: Path, corner_colours: Any) -> None:
    """A picture for viewers that do not know animations is left out of the clip."""
    frames = moving_colours(corner_colours)
    save_animation(tmp_path / "a.png", frames, duration=50, default_image=True)
    np.testing.assert_array_equal(
        load_target(str(tmp_path / "a.png"), task="regression").pixels, frames[1:]
    )


def test_an_animated_avif_is_a_clip(tmp_path: Path, corner_colours: Any) -> None:
    """The frames of an AVIF sequence come in order, with their durations."""
    frames = moving_colours(corner_colours)
    save_animation(tmp_path / "a.avif", frames, duration=50, quality=95)
    target = load_target(str(tmp_path / "a.avif"), task="regression")
    assert target.frames_per_second == pytest.approx(20)
    assert np.abs(target.pixels.astype(int) - frames).mean() < 3


@pytest.mark.parametrize("kind", ["mp4", "webm", "gif", "png", "webp"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_clip_is_an_error(
    tmp_path: Path, write_video: Any, kind: str, share: float
) -> None:
    """A clip cut anywhere never loses frames silently."""
    frames = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)
    path = tmp_path / f"a.{kind}"
    if kind in VIDEO_OPTIONS:
        write_video(path.name, frames, **VIDEO_OPTIONS[kind])
    else:
        save_animation(path, frames, duration=50)
    assert len(load_target(str(path), task="regression").pixels) == 5
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(TargetError, match="complete") as caught:
        load_target(str(path))
    assert "\n" not in str(caught.value)


def test_frame_and_memory_limits_are_named(
    tmp_path: Path, write_video: Any, corner_colours: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clip beyond a limit is refused with the limit in the message."""
    frames = moving_colours(corner_colours, 6)
    save_animation(tmp_path / "a.gif", frames, duration=50)
    write_video("a.mp4", frames)
    write_video("a.webm", frames, **VIDEO_OPTIONS["webm"])
    for name in ("a.gif", "a.mp4", "a.webm"):
        with monkeypatch.context() as patch:
            patch.setattr("bitfold.targets.frames.MAX_CLIP_FRAMES", 5)
            with pytest.raises(TargetError, match="at most 5 frames"):
                load_target(str(tmp_path / name))
        with monkeypatch.context() as patch:
            patch.setattr("bitfold.targets.frames.MAX_CLIP_BYTES", 3 * 64 * 64 * 4)
            with pytest.raises(TargetError, match="at most 49152 bytes of pixels, which is 4 fram"):
                load_target(str(tmp_path / name))


def test_files_that_point_elsewhere_are_refused(tmp_path: Path) -> None:
    """A playlist or a list of other files is no clip: nothing it names is opened."""
    for text in ("#EXTM3U\n#EXTINF:1,\nother.ts\n", "ffconcat version 1.0\nfile 'other.mp4'\n"):
        (tmp_path / "a.mp4").write_text(text)
        with pytest.raises(TargetError, match="got a file that begins with"):
            load_target(str(tmp_path / "a.mp4"))


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    """An mp4 without a video stream is an error."""
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(TargetError, match="expected a video of a known codec"):
        load_target(str(tmp_path / "a.mp4"))


@pytest.mark.parametrize("kind", ["mp4", "webm", "gif"])
def test_damaged_clips_end_in_one_line(
    tmp_path: Path,
    write_video: Any,
    corner_colours: Any,
    kind: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Changed bytes give a target or an error of one line, and the codecs print nothing."""
    generator = np.random.default_rng(12)
    path = tmp_path / f"a.{kind}"
    if kind == "gif":
        save_animation(path, moving_colours(corner_colours), duration=50)
    else:
        write_video(path.name, moving_colours(corner_colours), **VIDEO_OPTIONS[kind])
    content = np.frombuffer(path.read_bytes(), np.uint8)
    num_errors = 0
    for _ in range(20):
        damaged = content.copy()
        damaged[generator.integers(0, len(damaged), 8)] = generator.integers(0, 256, 8)
        path.write_bytes(damaged.tobytes())
        try:
            load_target(str(path), task="regression")
        except TargetError as error:
            num_errors += 1
            assert "\n" not in str(error)
            assert "0x" not in str(error)
    assert num_errors > 0
    assert capfd.readouterr().err == ""

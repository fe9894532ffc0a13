"""Frames made from moments of a trajectory."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitfold.recording import FrameMaker, FrameStyle
from bitfold.recording.legend import legend_of
from bitfold.targets import Window, load_target
from bitfold.training import (
    EpochEnded,
    Moment,
    Run,
    Session,
    TrajectoryReader,
    load_run,
    train,
)
from tests.recording.tiny_runs import tiny


def moments(run: Run) -> list[Moment]:
    """Return all moments of a run."""
    reader = TrajectoryReader(run.folder.trajectory)
    found = list(reader.moments())
    reader.close()
    return found


def test_frames_of_a_run_have_one_size_and_differ(ring_run: Run) -> None:
    """All frames have the same even size, and training changes their pixels."""
    maker = FrameMaker(ring_run, FrameStyle.of(ring_run.config))
    frames = [maker.draw(moment).copy() for moment in moments(ring_run)]
    assert len(frames) == 4
    assert {frame.shape for frame in frames} == {frames[0].shape}
    assert frames[0].shape[0] % 2 == 0
    assert frames[0].shape[1] % 2 == 0
    assert (frames[0] != frames[-1]).any()


def test_prediction_panel_shows_the_network(ring_run: Run) -> None:
    """The panel without folds holds the network's values at the pixels' own coordinates."""
    style = FrameStyle(longer_side_px=64, smoothing_sigma_px=0)
    maker = FrameMaker(ring_run, style)
    moment = moments(ring_run)[-1]
    frame = maker.draw(moment)
    network = ring_run.network(6)
    import torch

    centre = (np.arange(64) + 0.5) / 64 - 0.5
    x, y = np.meshgrid(centre, centre)
    points = torch.tensor(np.stack([x.ravel(), y.ravel()], 1), dtype=torch.float32)
    wanted = network(points).detach().numpy().reshape(64, 64).clip(0, 1) * 255
    room = maker._frames._painter.layout.slices[0][1].room
    shown = frame[room.window].astype(float)
    assert np.abs(shown[..., 0] - wanted).max() <= 1
    assert (shown[..., 0] == shown[..., 2]).all()


def test_window_magnifies(ring_run: Run) -> None:
    """A window of the upper left quarter shows the target's upper left quarter."""
    quarter = Window(-0.5, -0.5, 0.0, 0.0)
    style = FrameStyle(longer_side_px=64, window=quarter, smoothing_sigma_px=3)
    maker = FrameMaker(ring_run, style)
    picture = maker._frames._scenes[0].picture
    wanted = ring_run.target.picture()[:16, :16].repeat(4, 0).repeat(4, 1)
    assert (picture == wanted).all()
    assert maker._frames._scenes[0].smoothed is None


def test_window_beyond_the_picture_is_grey(ring_run: Run) -> None:
    """Pixels outside the picture are grey."""
    maker = FrameMaker(ring_run, FrameStyle(longer_side_px=64, window=Window(-1.0, -1.0, 0.0, 0.0)))
    assert (maker._frames._scenes[0].picture[:32] == 128).all()


def test_panels_keep_the_picture_s_aspect() -> None:
    """A panel has the aspect of the picture; small pictures are shown larger."""
    text = load_target("text:AB", size=64)
    width, height = FrameStyle().panel_px(text)
    assert width == 384
    assert abs(width / height - text.grid.width / text.grid.height) < 0.05


def test_legend_has_the_same_labels_throughout(ring_run: Run) -> None:
    """Epoch 0, which has no losses yet, has the same labels as the others."""
    first, *_, last = moments(ring_run)
    labels = [[label for label, _ in legend_of(ring_run, m, [7])] for m in (first, last)]
    assert labels[0] == labels[1]
    shown = dict(legend_of(ring_run, last, [7], baseline_error=0.01))
    assert shown["epoch"] == "6 / 6"
    assert shown["polytopes"] == "7"
    assert shown["kernel smoothing"] == "20.00 dB"
    assert shown["lambda"] == "0.01"


def test_classification_counts_wrong_pixels(classes_run: Run) -> None:
    """The misclassified share counts pixels, not points."""
    maker = FrameMaker(classes_run, FrameStyle(longer_side_px=64))
    moment = moments(classes_run)[-1]
    maker.draw(moment)
    network = classes_run.network(6)
    import torch

    grid = classes_run.target.grid
    points = torch.from_numpy(grid.coordinates(np.arange(grid.num_pixels)))
    predicted = network(points).argmax(1).numpy()
    wrong = float((predicted != classes_run.target.classes).mean())
    maker._frames._network.load_state_dict(dict(moment.weights))
    share = maker._frames._share_misclassified([maker._frames._partition(0)])
    # Panels have twice the picture's resolution, so boundaries may differ by a part of a pixel.
    assert share == pytest.approx(wrong, abs=0.05)


def test_clip_frames_show_slices(tmp_path: Path) -> None:
    """A clip's frame has one row for each chosen time."""
    pictures = [Image.fromarray(np.full((16, 16), value, np.uint8)) for value in (0, 90, 180, 250)]
    data = io.BytesIO()
    pictures[0].save(data, "GIF", save_all=True, append_images=pictures[1:], duration=40)
    path = tmp_path / "clip.gif"
    path.write_bytes(data.getvalue())
    run = train(tiny(tmp_path / "run", target=str(path), clip_slices=2, epochs=2))
    style = FrameStyle.of(run.config)
    assert style.slice_frames(run.target) == [1, 3]
    chosen = FrameStyle.of(run.config.replace(slice_times="-0.5,0.1,0.5"))
    assert chosen.slice_frames(run.target) == [0, 2, 3]
    maker = FrameMaker(run, style)
    assert [scene.caption for scene in maker._frames._scenes] == ["t = -0.12", "t = +0.38"]
    assert maker.draw(moments(run)[-1]).ndim == 3


def test_folds_alone_are_the_panel_of_the_full_frame(ring_run: Run) -> None:
    """The layout ``folds`` is the panel with folds, cut out, without words."""
    moment = moments(ring_run)[-1]
    full = FrameMaker(ring_run, FrameStyle(longer_side_px=64))
    room = full._frames._painter.layout.slices[0][0].room
    wanted = full.draw(moment)[room.window].copy()
    alone = FrameMaker(ring_run, FrameStyle(longer_side_px=64, layout="folds")).draw(moment)
    assert alone.shape == (64, 64, 3)
    assert (alone == wanted).all()


def test_a_frame_shows_the_target_of_its_epoch(tmp_path: Path) -> None:
    """Also if the target is changed after the first frames are drawn."""
    painted = np.tri(16, dtype=np.uint8) * 255
    style = FrameStyle(longer_side_px=16, smoothing_sigma_px=0)
    with Session(tiny(tmp_path / "run", size=16, epochs=4)) as session:
        maker: FrameMaker | None = None
        for event in session:
            if isinstance(event, EpochEnded) and event.epoch == 2:
                maker = FrameMaker(load_run(tmp_path / "run"), style)
                session.change(target=painted)
    assert maker is not None
    scenes = []
    for moment in moments(load_run(tmp_path / "run")):
        maker.draw(moment)
        scenes.append(maker._frames._scenes[0].picture[..., 0])
    ring = load_target("ring", size=16).pixels[0, :, :, 0]
    assert len(scenes) > 2
    assert (scenes[0] == ring).all()
    assert (scenes[-1] == painted).all()

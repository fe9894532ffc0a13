"""Slices of networks, by the exact engine and sampled."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bitfold.errors import PolytopeError
from bitfold.polytopes import partition
from bitfold.polytopes.drawing.filling import identity_colours
from bitfold.recording import FrameMaker, FrameStyle, partition_slice
from bitfold.recording.face_colours import face_colours
from bitfold.recording.partition_slice import PartitionSlicer
from bitfold.targets import Window
from bitfold.training import Moment, Run, TrajectoryReader, train
from tests.recording.tiny_runs import tiny

SMALL = FrameStyle(longer_side_px=96, smoothing_sigma_px=0)


def last_moment(run: Run) -> Moment:
    """Return the last moment of a run."""
    reader = TrajectoryReader(run.folder.trajectory)
    *_, last = reader.moments()
    reader.close()
    return last


def slicer(run: Run, **style: Any) -> PartitionSlicer:
    """Return a slicer of a run's last network."""
    return PartitionSlicer(run.network().eval(), run.target, dataclasses.replace(SMALL, **style))


def test_the_exact_engine_counts_all_polytopes(ring_run: Run) -> None:
    """The exact engine also counts polytopes without a pixel's centre, which sampling misses."""
    exact, sampled = (slicer(ring_run, engine=e).slice(None) for e in ("auto", "sampled"))
    assert exact.is_exact
    assert not sampled.is_exact
    assert exact.num_polytopes == partition(ring_run.network().eval()).num_polytopes
    assert exact.num_polytopes >= sampled.num_polytopes
    np.testing.assert_allclose(exact.piece.values, sampled.piece.values, atol=1e-5)


@pytest.mark.parametrize("fold_colour", ["layer", "neuron"])
def test_folds_are_coloured_by_their_owner(ring_run: Run, fold_colour: str) -> None:
    """Folds have more than one colour, all of the palette."""
    overlay = slicer(ring_run, fold_colour=fold_colour).slice(None).piece.fold_overlay
    assert overlay.numbers is not None
    assert overlay.palette is not None
    shown = np.unique(overlay.numbers[overlay.cover > 0])
    assert len(shown) > 1
    assert shown.max() < len(overlay.palette)
    frames = [
        FrameMaker(ring_run, dataclasses.replace(SMALL, fold_colour=c)).draw(last_moment(ring_run))
        for c in ("plain", fold_colour)
    ]
    assert (frames[0] != frames[1]).any()


@pytest.mark.parametrize("encoding", ["triangle:2", "grid:1x2"])
def test_folds_of_an_encoding_are_faint_or_left_out(encoding: str, tmp_path: Path) -> None:
    """What only the encoding folds is faint, or left out; folds of neurons stay as they are."""
    run = train(tiny(tmp_path / "run", encoding=encoding, epochs=2))
    covers = {
        how: slicer(run, encoding_folds=how).slice(None).piece.fold_overlay.cover.astype(int)
        for how in ("plain", "faint", "none")
    }
    only = (covers["none"] == 0) & (covers["plain"] > 0)  # pixels of the encoding's folds alone
    assert only.mean() > 0.1
    assert (covers["faint"][only] < 0.4 * covers["plain"][only] + 1).all()
    assert (covers["faint"][only] > 0).mean() > 0.9
    assert (covers["faint"] >= covers["none"]).all()
    assert (covers["none"] > 0).any()


@pytest.mark.parametrize("faces", ["area", "slope", "identity"])
def test_faces_are_filled_by_what_they_are(ring_run: Run, faces: str) -> None:
    """Each polytope has one colour; two polytopes may have equal colours."""
    made = slicer(ring_run, faces=faces)
    piece = made.slice(None).piece
    assert piece.ground is not None
    numbers = made._raster.faces(partition(ring_run.network().eval()).subdivision)
    for number in np.unique(numbers):
        assert len(np.unique(piece.ground[numbers == number], axis=0)) == 1
    assert len(np.unique(piece.ground.reshape(-1, 3), axis=0)) > 3
    assert made.view().headings


def test_a_pattern_keeps_its_colour_when_others_change(ring_run: Run) -> None:
    """If a weight of the last hidden layer changes, the patterns that stay keep their colours."""
    network = ring_run.network().eval()
    before = partition(network)
    with torch.no_grad():
        [*network.parameters()][-3].add_(0.05)
    after = partition(network)
    kept = {row.tobytes(): n for n, row in enumerate(before.patterns)}
    pairs = [
        (kept[row.tobytes()], n) for n, row in enumerate(after.patterns) if row.tobytes() in kept
    ]
    assert len(pairs) > 3
    first, second = identity_colours(before.patterns), identity_colours(after.patterns)
    for mine, theirs in pairs:
        assert (first[mine] == second[theirs]).all()


def test_area_has_the_same_scale_in_all_frames(ring_run: Run) -> None:
    """A polytope of a given area looks the same in another window of the plane."""
    network = ring_run.network().eval()
    whole = partition(network)
    largest = whole.vertices[whole.edges].reshape(-1, 2)
    assert len(largest) > 4
    narrow = Window(-0.5, -0.5, 0.0, 0.0)
    made = slicer(ring_run, faces="area", window=narrow)
    found = partition(network, ((-0.5, -0.5), (0.0, 0.0)))
    colours = face_colours(found, made._raster, "area")
    assert colours is not None
    assert np.all(made.slice(None).piece.ground == colours)


def test_each_layer_has_its_panel(ring_run: Run) -> None:
    """The lines of all layers together are those of the panel with all folds."""
    made = slicer(ring_run, layout="layers")
    piece = made.slice(None).piece
    assert [name.split(",")[0] for name in made.view().layers] == ["layer 1", "layer 2"]
    assert len(piece.layers) == 2
    union = np.maximum(piece.layers[0].cover, piece.layers[1].cover)
    assert (union == piece.fold_overlay.cover).all()
    assert (piece.layers[0].cover != piece.layers[1].cover).any()
    style = dataclasses.replace(SMALL, layout="layers")
    assert len(FrameMaker(ring_run, style)._frames._painter.layout.slices[0]) == 2


def test_the_boundary_lies_where_the_class_changes(tmp_path: Path) -> None:
    """The black core of the boundary separates pixels of different classes, and no others."""
    settings = {"target": "rgb-ring", "task": "classification", "learning_rate": 0.03}
    run = train(tiny(tmp_path / "run", **settings, size=32, epochs=60))
    piece = slicer(run).slice(None).piece
    casing, core = piece.boundary
    predicted = piece.values.argmax(2)
    across = predicted[:, 1:] != predicted[:, :-1]
    assert across.any()
    rows, columns = np.nonzero(across)
    near = np.maximum(core.cover[rows, columns], core.cover[rows, columns + 1])
    assert (near > 100).all()
    assert (casing.cover >= core.cover).all()


def test_a_smooth_network_is_sampled(tmp_path: Path) -> None:
    """Slices of a smooth network are sampled, and its frames are drawn."""
    run = train(tiny(tmp_path / "run", activation="tanh", epochs=2))
    made = slicer(run, faces="area", fold_colour="layer")
    assert not made.slice(None).is_exact
    assert made.view().headings == ()
    frame = FrameMaker(run, SMALL).draw(last_moment(run))
    assert frame.ndim == 3


def test_a_sigmoid_at_the_end_folds_nothing(tmp_path: Path) -> None:
    """A final sigmoid changes values, but not polytopes."""
    run = train(tiny(tmp_path / "run", final_activation="sigmoid", epochs=3))
    exact, sampled = (slicer(run, engine=engine).slice(None) for engine in ("auto", "sampled"))
    assert exact.is_exact
    np.testing.assert_allclose(exact.piece.values, sampled.piece.values, atol=1e-5)


def test_layers_of_a_smooth_network_are_refused(tmp_path: Path) -> None:
    """A smooth network has no exact folds, so the layout ``layers`` is refused."""
    run = train(tiny(tmp_path / "run", activation="tanh", epochs=2))
    with pytest.raises(PolytopeError, match="layers") as caught:
        FrameMaker(run, dataclasses.replace(SMALL, layout="layers"))
    assert "\n" not in str(caught.value)


def test_a_finely_encoded_network_is_sampled_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Frames compare pixels, after one line with the estimate; few polytopes are drawn exactly."""
    run = train(tiny(tmp_path / "run", encoding="triangle:5", epochs=1))
    assert slicer(run).slice(None).is_exact
    monkeypatch.setattr(partition_slice, "_MOST_POLYTOPES", 4000)
    made = slicer(run)
    assert not any(made.slice(None).is_exact for _ in range(2))
    (line,) = [record.getMessage() for record in caplog.records]
    assert "encoding triangle:5 the network has about" in line
    assert "at most 4,000 are drawn exactly" in line

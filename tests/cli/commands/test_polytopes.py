"""``bitfold polytopes``: figures, arrays and surfaces of a run's network."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import bitfold
from bitfold.cli.commands import polytopes as command
from bitfold.cli.main import main
from bitfold.polytopes.drawing.filling import FACE_COLOURINGS
from bitfold.polytopes.encoding_layers import ENCODING_FOLDS
from bitfold.polytopes.partition_search import MAX_POLYTOPES
from bitfold.recording import NetworkView
from bitfold.render.partitions.partition_figure import COLUMN_MM
from tests.cli.command_runs import nothing_drawn

SMALL = [
    "--shape", "[6]*2", "--epochs", "4", "--batch-size", "128", "--save-interval", "2",
    "--checkpoint-interval", "2", "--seed", "3", "--size", "32", "--snapshot-format", "none",
    "--quiet",
]  # fmt: skip


def train(folder: Path, target: str, *more: str) -> Path:
    """Train a run within a fraction of a second."""
    with nothing_drawn():
        assert main(["train", target, *SMALL, "-o", str(folder), *more]) == 0
    return folder


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a run of one output."""
    return train(tmp_path_factory.mktemp("ring") / "run", "ring")


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a run of two classes."""
    folder = tmp_path_factory.mktemp("classes") / "run"
    return train(folder, "disk", "--task", "classification")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a run of three inputs."""
    folder = tmp_path_factory.mktemp("clip")
    frames = [Image.new("L", (16, 16), grey) for grey in (0, 90, 200)]
    frames[0].save(folder / "clip.gif", save_all=True, append_images=frames[1:])
    return train(folder / "run", str(folder / "clip.gif"), "--task", "regression")


def polytopes(path: Path, output: Path, *more: str) -> int:
    """Run the command and return its output."""
    return main(["polytopes", str(path), "-o", str(output), *more])


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png", ".npz", ".obj", ".ply"])
def test_every_ending_is_written_whole(
    suffix: str, ring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each ending gives a whole file; the output names it and the number of polytopes."""
    output = tmp_path / f"a{suffix}"
    assert polytopes(ring, output) == 0
    count = bitfold.partition(bitfold.load_run(ring).network()).num_polytopes
    assert capsys.readouterr().out.split("\n") == [f"{count:,} polytopes", str(output), ""]
    assert list(tmp_path.iterdir()) == [output]
    assert output.stat().st_size > 1000
    assert polytopes(ring, output, "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_epochs_checkpoints_and_windows(ring: Path, tmp_path: Path) -> None:
    """Checkpoints are cut without the rest of the run, and a window is cut like any domain."""
    run, output = bitfold.load_run(ring), tmp_path / "a.npz"
    windows = {(): ((-0.5, -0.5), (0.5, 0.5)), (-0.2, 0.1, 0.3, 0.2): ((-0.2, 0.1), (0.3, 0.2))}
    for window, domain in windows.items():
        more = ["--window", *map(str, window)] if window else []
        assert polytopes(ring, output, "--epoch", "2", *more) == 0
        expected = bitfold.partition(run.network(2), domain)
        found = bitfold.load_partition(output)
        np.testing.assert_array_equal(found.vertices, expected.vertices)
        np.testing.assert_array_equal(found.patterns, expected.patterns)
    alone = tmp_path / "alone.safetensors"
    shutil.copy(run.checkpoints / "epoch-000000002.safetensors", alone)
    for checkpoint in (alone, run.checkpoints / "epoch-000000002.safetensors"):
        assert polytopes(checkpoint, output, "--window", *map(str, window)) == 0
        np.testing.assert_array_equal(bitfold.load_partition(output).vertices, found.vertices)


@pytest.mark.parametrize("size", [pytest.param(1e-3, marks=pytest.mark.slow), 1e-11])
def test_windows_of_any_magnification(size: float, ring: Path, tmp_path: Path) -> None:
    """A window around a vertex shows the vertex's polytopes exactly and can be drawn."""
    network = bitfold.load_run(ring).network()
    whole = bitfold.partition(network)
    inner = np.abs(whole.vertices).max(1) < 0.49
    x, y = whole.vertices[np.flatnonzero(inner)[0]]
    window = [f"{edge:.17g}" for edge in (x - size, y - size, x + size, y + size)]
    assert polytopes(ring, tmp_path / "a.npz", "--window", *window) == 0
    found = bitfold.load_partition(tmp_path / "a.npz")
    found.check()
    assert found.num_polytopes >= 3
    assert found.areas.sum() == pytest.approx(4 * size**2, rel=1e-4)
    for faces in ("value", "area"):
        assert polytopes(ring, tmp_path / "a.png", "--faces", faces, "--window", *window) == 0


def test_a_clip_is_cut_at_a_time(clip: Path, tmp_path: Path) -> None:
    """A clip is cut at a given time, by default at its middle."""
    network = bitfold.load_run(clip).network()
    axes = torch.eye(3)
    for more, time in (([], 0.0), (["--time", "0.25"], 0.25)):
        assert polytopes(clip, tmp_path / "a.npz", *more) == 0
        found = bitfold.load_partition(tmp_path / "a.npz")
        expected = bitfold.partition(network, plane=(time * axes[2], axes[0], axes[1]))
        np.testing.assert_array_equal(found.vertices, expected.vertices)


@pytest.mark.parametrize(
    ("faces", "suffix"),
    [
        ("value", ".png"),
        ("slope", ".png"),
        ("value", ".ply"),
        *(
            pytest.param(faces, suffix, marks=pytest.mark.slow)
            for faces, suffix in (
                ("area", ".png"), ("identity", ".png"), ("none", ".png"), ("area", ".ply"),
                ("slope", ".ply"), ("identity", ".ply"), ("none", ".ply"),
            )
        ),
    ],
)  # fmt: skip
def test_faces_and_outputs_are_drawn(
    faces: str, suffix: str, classes: Path, tmp_path: Path
) -> None:
    """Faces are drawn by every filling, of one output or of all."""
    written = set()
    for number, more in enumerate(([], ["--output-number", "1"])):
        output = tmp_path / f"{number}{suffix}"
        options = ["--faces", faces, "--width", "40", "--no-legend", *more]
        assert polytopes(classes, output, *options) == 0
        written.add(output.read_bytes())
    is_same = suffix == ".png" and faces in ("area", "slope", "identity", "none")
    assert len(written) == (1 if is_same else 2)


def test_heights_are_outputs_times_a_scale(classes: Path, tmp_path: Path) -> None:
    """A height is an output times a scale; of two classes, the second output less the first."""
    found = bitfold.partition(bitfold.load_run(classes).network())
    for more, expected in (
        ([], found.vertex_outputs @ [-1, 1]),
        (["--output-number", "1", "--height", "0.25"], 0.25 * found.vertex_outputs[:, 1]),
    ):
        assert polytopes(classes, tmp_path / "a.obj", *more) == 0
        lines = (tmp_path / "a.obj").read_text().splitlines()
        vertices = np.array([line.split()[1:] for line in lines if line[0] == "v"], float)
        np.testing.assert_allclose(vertices[:, 2], expected)
        np.testing.assert_array_equal(vertices[:, :2] * [1, -1], found.vertices)


def test_a_sigmoid_at_the_end_folds_nothing(tmp_path: Path) -> None:
    """The partition leaves out a final sigmoid, and the colours include it."""
    run = train(tmp_path / "run", "ring", "--final-activation", "sigmoid")
    view = NetworkView.of(run)
    assert polytopes(run, tmp_path / "a.npz") == 0
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 2))
    outputs = bitfold.load_partition(tmp_path / "a.npz").evaluate(points)
    shown = bitfold.load_run(run).network()(torch.tensor(points, dtype=torch.float32)).detach()
    np.testing.assert_allclose(view.colours(outputs), shown.numpy().repeat(3, 1), atol=1e-5)


def refused(capsys: pytest.CaptureFixture[str], path: Path, output: Path | str, *more: str) -> str:
    """Return the one line printed for bad input, and check that no file is written."""
    try:
        code = polytopes(path, Path(output), *more)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    captured = capsys.readouterr()
    assert code == 2, captured
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    return captured.err


def test_bad_input_is_refused_in_one_line(
    ring: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad paths, epochs, endings, windows, times, outputs and numbers are refused in one line."""
    output, checkpoint = tmp_path / "a.svg", next((ring / "checkpoints").iterdir())
    (tmp_path / "text.safetensors").write_text("no checkpoint")
    cases: tuple[tuple[Path, Path | str, list[str], str], ...] = (
        (tmp_path / "none", output, [], "without config.toml"),
        (tmp_path, output, [], "without config.toml"),
        (tmp_path / "text.safetensors", output, [], "Cannot read checkpoint"),
        (ring, output, ["--epoch", "1"], "The nearest kept epoch is"),
        (checkpoint, output, ["--epoch", "2"], "one checkpoint"),
        (ring, "a.stl", [], "expected a name ending in .svg, .pdf, .png, .npz, .obj, .ply"),
        (ring, "a", [], "got no ending"),
        (ring, output, ["--window", "0", "0", "0", "1"], "x0 < x1"),
        (ring, output, ["--window", "0", "0", "nan", "1"], "finite"),
        (ring, output, ["--time", "0.1"], "none for a picture. Change --time."),
        (clip, output, ["--time", "inf"], "finite"),
        (ring, output, ["--output-number", "1"], "expected 0 to 0, got 1"),
        (ring, tmp_path / "a.npz", ["--output-number=-1"], "expected 0 to 0, got -1"),
        (ring, output, ["--faces", "blue"], "blue"),
        (ring, output, ["--width", "3"], "at least 5 mm"),
        (ring, output, ["--width", "nan"], "at least 5 mm"),
        (ring, tmp_path / "a.obj", ["--height", "inf"], "finite"),
        (ring, output, ["--max-polytopes", "3"], "expected at most 3, got more"),
        (ring, output, ["--max-polytopes", "0"], "max_polytopes of 1"),
        *((ring, tmp_path / "no" / f"a{s}", [], "Cannot write") for s in (".svg", ".npz", ".ply")),
    )
    for path, file, more, said in cases:
        assert said in refused(capsys, path, file, *more), said
    assert [item.name for item in tmp_path.iterdir()] == ["text.safetensors"]


def test_words_and_default_for_folds_of_an_encoding_are_those_of_frames() -> None:
    """The setting of frames has the same words and the same default."""
    (setting,) = (one for one in dataclasses.fields(bitfold.Config) if one.name == "encoding_folds")
    assert setting.metadata["setting"].choices == ENCODING_FOLDS
    parser = argparse.ArgumentParser()
    command.add_to(parser.add_subparsers())
    given = parser.parse_args(["polytopes", "run", "-o", "a.svg"])
    assert given.encoding_folds == setting.default == "faint"


def test_folds_of_an_encoding_are_drawn_as_asked_for(tmp_path: Path) -> None:
    """The figure is that of the option, which is faint by default."""
    run = train(tmp_path / "run", "ring", "--encoding", "triangle:2")
    figures = {}
    for how in ("faint", "none", "plain"):
        assert polytopes(run, tmp_path / f"{how}.svg", "--encoding-folds", how) == 0
        figures[how] = (tmp_path / f"{how}.svg").read_text()
    assert polytopes(run, tmp_path / "a.svg") == 0
    assert (tmp_path / "a.svg").read_text() == figures["faint"]
    is_faint = ["stroke-opacity: 0.3" in figure for figure in figures.values()]
    assert is_faint == [True, False, False]
    assert ['id="layer-1"' in figures[how] for how in figures] == [True, False, True]
    assert all('id="layer-3"' in figure for figure in figures.values())


def test_smooth_networks_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Smooth activations are named in the error, because they have no polytopes."""
    run = train(tmp_path / "run", "ring", "--activation", "tanh")
    said = refused(capsys, run, tmp_path / "a.svg")
    assert "expected piecewise linear operations, got tanh in 'layers.1'" in said


def test_the_help_repeats_the_constants_of_the_packages() -> None:
    """The help's constants equal the packages', and help loads neither PyTorch nor Matplotlib."""
    assert command.FACE_COLOURINGS == FACE_COLOURINGS
    assert command.ENCODING_FOLDS == ENCODING_FOLDS
    assert (command.COLUMN_MM, command.MAX_POLYTOPES) == (COLUMN_MM, MAX_POLYTOPES)

"""Plots of measures of folds."""

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from bitfold.errors import RenderError
from bitfold.polytopes import FOLD_MEASURES, LAYER_MEASURE
from bitfold.render import plot_losses
from bitfold.render.plots.quantities import ROWS, are_geometric
from bitfold.render.plots.series import envelope
from bitfold.training.schedules.frame_schedule import FrameSchedule

Columns = dict[str, list[float | None]]
FOLDS = (*FOLD_MEASURES, "pattern_flips", "bits_per_polytope")


def run(num_epochs: int, save_interval: str = "geometric:20", num_layers: int = 3) -> Columns:
    """Metrics of a run without K whose folds were measured at its frames."""
    schedule = FrameSchedule.parse(save_interval)
    epochs = range(1, num_epochs + 1)
    measured: list[float | None] = [0.5 + math.sqrt(e) if schedule.has(e) else None for e in epochs]
    layers = [f"{LAYER_MEASURE}{number}" for number in range(1, num_layers + 1)]
    return {
        "epoch": list(epochs),
        "combined_loss": [1 / epoch for epoch in epochs],
        "task_loss": [1 / epoch for epoch in epochs],
        "kolmogorov_loss": [None] * num_epochs,
        "kolmogorov_weight": [0.0] * num_epochs,
        **dict.fromkeys((*FOLDS, *layers), measured),
    }


def titles(path: Path) -> list[str]:
    """The comments that matplotlib puts before each text of an SVG."""
    text = path.read_text(encoding="utf-8")
    return [part.split("-->")[0].strip() for part in text.split("<!--")[1:]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Record the figures that are written."""
    figures = []
    save = Figure.savefig

    def remember(self: Figure, *arguments: Any, **options: Any) -> None:
        figures.append(self)
        save(self, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", remember)
    return figures


def test_every_measure_has_a_panel_of_its_own(tmp_path: Path) -> None:
    """Each measure has a title in plain words; without K, the combined loss is left out."""
    path = tmp_path / "folds.svg"
    plot_losses({"one": run(100)}, path, what="folds")
    assert ElementTree.parse(path).getroot().tag.endswith("svg")
    wanted = {"task loss", "polytopes", "polytopes over N²/2", "bits per polytope", "… by layer"}
    assert wanted | {"pattern flips (share)", "slope jump across folds"} <= set(titles(path))
    assert not {"combined loss", "λ·K", "validation loss"} & set(titles(path))
    columns = {name for row in ROWS["folds"] for quantity in row for name in quantity.columns}
    assert {*FOLDS, LAYER_MEASURE} <= columns


def test_lines_go_from_measurement_to_measurement(tmp_path: Path, drawn: list[Figure]) -> None:
    """A line joins all measured epochs, without gaps between them."""
    columns = run(300)
    plot_losses({"one": columns}, tmp_path / "folds.png", what="folds")
    (axes,) = (axes for axes in drawn[0].axes if axes.get_title("left") == "polytopes")
    epochs, values = map(np.asarray, axes.lines[0].get_data())
    wanted = [(e, v) for e, v in zip(columns["epoch"], columns["num_polytopes"], strict=True) if v]
    assert list(zip(epochs, values, strict=True)) == wanted


def test_what_was_not_there_to_measure_is_a_gap(tmp_path: Path, drawn: list[Figure]) -> None:
    """While the decision boundary is absent, its line has a gap."""
    columns = run(40, "1")
    columns["fold_boundary_distance"] = [1.0, 2.0, *[None] * 10, *[3.0] * 28]
    plot_losses({"one": columns}, tmp_path / "folds.png", what="folds")
    (axes,) = (a for a in drawn[0].axes if a.get_title("left") == "folds to decision boundary")
    values = np.asarray(axes.lines[0].get_ydata(), float)
    assert np.flatnonzero(np.isnan(values)).tolist() == list(range(2, 12))


def test_each_layer_of_a_single_run_has_a_line_and_a_colour(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    """The panel by layer is left out for several runs, and for a single layer."""
    for name, runs in {
        "one": {"one": run(50, num_layers=11)},
        "two": {"one": run(50), "two": run(50)},
        "flat": {"one": run(50, num_layers=1)},
    }.items():
        plot_losses(runs, tmp_path / f"{name}.png", what="folds")
    by_layer = [[a for a in f.axes if a.get_title("left") == "… by layer"] for f in drawn]
    assert [len(found) for found in by_layer] == [1, 0, 0]
    lines = [line for line in by_layer[0][0].lines if line.get_linestyle() == "-"]
    assert len({line.get_color() for line in lines}) == 11


@pytest.mark.parametrize(
    ("save_interval", "scale"),
    [
        ("geometric:20", "log"),
        ("10", "linear"),
        pytest.param("geometric:60", "log", marks=pytest.mark.slow),
    ],
)
def test_all_panels_share_a_scale_of_epochs_that_suits(
    tmp_path: Path, drawn: list[Figure], save_interval: str, scale: str
) -> None:
    """If epochs of measurement have equal ratios, all panels have a logarithmic scale of epochs."""
    columns = run(1000, save_interval)
    columns["fold_boundary_distance"] = [*[None] * 500, *columns["num_polytopes"][500:]]
    assert are_geometric({"one": columns}) == (scale == "log")
    plot_losses({"one": columns}, tmp_path / "folds.png", what="folds")
    assert {axes.get_xscale() for axes in drawn[0].axes} == {scale}
    panels = [axes for axes in drawn[0].axes if axes.get_title("left")]
    assert len({axes.get_xlim() for axes in panels}) == 1


def test_other_figures_keep_their_scale(tmp_path: Path, drawn: list[Figure]) -> None:
    """Plots of losses have a linear scale of epochs, regardless of the measures of folds."""
    plot_losses({"one": run(1000)}, tmp_path / "loss.png")
    assert {axes.get_xscale() for axes in drawn[0].axes} == {"linear"}


def test_bins_by_ratio_keep_early_epochs_and_every_spike() -> None:
    """In a series of 100,000 epochs, each of the first epochs has its own bin."""
    epochs = np.arange(1.0, 100_001)
    values = np.ones(100_000)
    values[[1, 50, 70_000]] = 5.0, 7.0, 9.0
    reduced = envelope(epochs, values, by_ratio=True)
    assert len(reduced.epochs) <= 240
    assert reduced.epochs[:3].tolist() == [1, 2, 3]
    assert reduced.high[1] == 5
    assert sorted(set(reduced.high.tolist())) == [1, 5, 7, 9]
    assert (np.diff(reduced.epochs) > 0).all()


def test_a_run_without_folds_is_refused(tmp_path: Path) -> None:
    """A run that has only losses is refused."""
    columns = {name: column for name, column in run(5).items() if "loss" in name}
    for runs in ({"one": columns}, {}):
        with pytest.raises(RenderError, match=r"Cannot plot folds: expected a run"):
            plot_losses(runs, tmp_path / "folds.png", what="folds")
    assert list(tmp_path.iterdir()) == []


def test_one_measurement_is_drawn(tmp_path: Path, drawn: list[Figure]) -> None:
    """A run of a single epoch is drawn as a dot in every panel, and two epochs as a line."""
    plot_losses({"one": run(1), "two": run(2, "1")}, tmp_path / "folds.png", what="folds")
    panels = [axes for axes in drawn[0].axes if axes.get_title("left")]
    assert len(panels) > len(FOLDS) / 2
    for axes in panels:
        dots = [line for line in axes.lines if line.get_marker() == "."]
        assert [np.asarray(line.get_xdata()).tolist() for line in dots] == [[1], []]

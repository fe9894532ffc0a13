"""Loss plots."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bitfold.errors import RenderError
from bitfold.render import plot_losses
from bitfold.render.plots.loss_plot import draw_losses
from bitfold.render.plots.series import as_floats, envelope

Columns = dict[str, list[float | None]]


def run(num_epochs: int, seed: int = 0, **more: list[float | None]) -> Columns:
    """Metrics of a run whose loss falls, with a spike in the middle."""
    noise = np.random.default_rng(seed).random(num_epochs)
    task = np.exp(-np.arange(num_epochs) / num_epochs * 5) * (1 + 0.1 * noise)
    task[num_epochs // 2] = 9.0
    return {
        "epoch": list(range(1, num_epochs + 1)),
        "task_loss": task.tolist(),
        "combined_loss": (task + 0.03).tolist(),
        "validation_loss": [None if number % 7 == 3 else 1.0 for number in range(num_epochs)],
        "kolmogorov_loss": (3 + noise).tolist(),
        "kolmogorov_weight": [0.01] * num_epochs,
        "psnr_db": (20 + noise).tolist(),
        **more,
    }


def titles(path: Path) -> list[str]:
    """The comments that matplotlib puts before each text of an SVG."""
    text = path.read_text(encoding="utf-8")
    return [part.split("-->")[0].strip() for part in text.split("<!--")[1:]]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".PNG"])
def test_a_figure_is_written_by_its_suffix(tmp_path: Path, suffix: str) -> None:
    """A PNG has several colours, and an SVG can be parsed."""
    path = tmp_path / f"loss{suffix}"
    plot_losses({"one": run(30), "two": run(50, 1)}, path)
    if suffix == ".svg":
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
    else:
        with Image.open(path) as picture:
            assert picture.width > 800
            assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_panels_are_those_that_runs_have(tmp_path: Path) -> None:
    """Without K there is no panel of K, and none of lambda*K, which is zero."""
    path = tmp_path / "loss.svg"
    plot_losses({"with": run(30)}, path)
    assert {
        "task loss",
        "λ·K",
        "K (nats per weight)",
        "PSNR at validation points (dB)",
        "with",
    } <= set(titles(path))
    without = run(30, kolmogorov_loss=[None] * 30, kolmogorov_weight=[0.0] * 30)
    plot_losses({"without": without}, path)
    assert "task loss" in titles(path)
    assert not {"λ·K", "K (nats per weight)", "accuracy at validation points"} & set(titles(path))


def test_a_summary_leaves_out_what_says_nothing(tmp_path: Path) -> None:
    """Panels that repeat another one are left out: combined without K, lambda*K with K."""
    path, columns = tmp_path / "loss.svg", run(5, description_bits=[9.0] * 5)
    plot_losses({"one": columns}, path, what="summary")
    shown = titles(path)
    for title in ("combined loss", "task loss", "K (nats per weight)", "description length (bits)"):
        assert title in shown
    assert "λ·K" not in shown
    without = {n: v for n, v in columns.items() if n[:5] not in ("kolmo", "descr")}
    plot_losses({"one": without}, path, what="summary")
    assert {"task loss", "validation loss", "PSNR at validation points (dB)"} <= set(titles(path))
    assert "combined loss" not in titles(path)


def test_gradient_norms_measured_now_and_then_are_drawn(tmp_path: Path) -> None:
    """One value in 50 epochs is enough for a panel."""
    norms: list[float | None] = [1.0 if number % 50 == 49 else None for number in range(200)]
    path = tmp_path / "gradients.svg"
    plot_losses({"one": run(200, grad_norm_task_network=norms)}, path, what="gradients")
    assert "task → network (norm)" in titles(path)


def test_long_runs_stay_small(tmp_path: Path) -> None:
    """Four runs of 25,000 epochs give an SVG of less than a megabyte."""
    path = tmp_path / "loss.svg"
    plot_losses({f"run {seed}": run(25_000, seed) for seed in range(4)}, path)
    assert path.stat().st_size < 1_000_000


def test_names_are_no_formulas(tmp_path: Path) -> None:
    """A run's name may have any characters."""
    path = tmp_path / "loss.svg"
    plot_losses({"$\\frac{": run(5), "x" * 100: run(5)}, path)
    assert "$\\frac{" in titles(path)


def test_names_that_begin_with_an_underscore_are_in_the_legend(tmp_path: Path) -> None:
    """The legend names every run, without a warning."""
    path = tmp_path / "loss.svg"
    plot_losses({"_first": run(5), "__second": run(5)}, path)
    assert {"_first", "__second"} <= set(titles(path))


def test_one_epoch_is_drawn(tmp_path: Path) -> None:
    """A run of a single epoch is drawn as a dot, without a warning."""
    runs: dict[str, Columns] = {"one": {"epoch": [1], "task_loss": [0.5]}}
    plot_losses(runs, tmp_path / "loss.png")
    (axes,) = draw_losses(runs).axes
    (dot,) = (line for line in axes.lines if line.get_marker() == ".")
    assert [np.asarray(values).tolist() for values in dot.get_data()] == [[1], [0.5]]


def test_equal_metrics_give_equal_pictures(tmp_path: Path) -> None:
    """Equal metrics give equal files, without a date."""
    for name in ("a.png", "b.png"):
        plot_losses({"one": run(20)}, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@given(
    values=st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=200),
    num_bins=st.integers(1, 30),
)
def test_envelopes_keep_extremes_and_gaps(values: list[float | None], num_bins: int) -> None:
    """For any number of bins, minimum and maximum are kept, and medians lie between them."""
    series = as_floats(values)
    reduced = envelope(np.arange(float(len(series))), series, num_bins)
    assert len(reduced.epochs) <= max(len(series), num_bins)
    if np.isfinite(series).any():
        assert np.nanmin(reduced.low) == np.nanmin(series)
        assert np.nanmax(reduced.high) == np.nanmax(series)
    has_values = np.isfinite(reduced.middle)
    assert (has_values == np.isfinite(reduced.low)).all()
    assert (reduced.low[has_values] <= reduced.middle[has_values]).all()
    assert (reduced.middle[has_values] <= reduced.high[has_values]).all()


@pytest.mark.parametrize(
    ("runs", "name", "what", "words"),
    [
        ({"one": run(3)}, "loss.jpg", "losses", "ending in .png or .svg"),
        ({"one": run(3)}, "loss.png", "lies", "one of losses, gradients"),
        ({}, "loss.png", "losses", "at least one epoch"),
        ({"one": {"epoch": [1, 2], "task_loss": [None, None]}}, "loss.png", "losses", "got 1 runs"),
        ({"one": {"epoch": [1, 2], "task_loss": [1.0]}}, "loss.png", "losses", "one length"),
        ({"one": run(3)}, "missing/loss.png", "losses", "writable file"),
    ],
)
def test_what_cannot_be_plotted_is_refused(
    tmp_path: Path, runs: dict[str, Columns], name: str, what: str, words: str
) -> None:
    """The error is one line, and no file is left behind."""
    with pytest.raises(RenderError, match=words):
        plot_losses(runs, tmp_path / name, what=what)
    assert list(tmp_path.iterdir()) == []

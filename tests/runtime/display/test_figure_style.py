"""Figures do not depend on the user's settings of matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch

import bitfold
from bitfold.render import QualityAxis, SizePoint, draw_partition, plot_frontier, plot_losses

#: What a user's file of settings, a style or a notebook may hold.
SETTINGS: dict[Any, Any] = {
    "text.usetex": True, "axes.facecolor": "black", "savefig.bbox": "tight", "font.size": 40,
    "axes.grid": True, "savefig.transparent": True, "axes.spines.left": False,
}  # fmt: skip


def draw(folder: Path) -> dict[str, bytes]:
    """Write one figure of each kind, and return their bytes."""
    folder.mkdir()
    plot_losses({"a_b": {"epoch": [1, 2], "task_loss": [2.0, 1.0]}}, folder / "loss.png")
    points = [SizePoint(10, 1.0, "a_b", is_on_front=True, is_best=True)]
    plot_frontier(points, folder / "frontier.png", title="a_b", axis=QualityAxis("PSNR (dB)"))
    network = bitfold.PolytopeNet(2, [3], 1, generator=torch.Generator().manual_seed(1))
    found = bitfold.partition(network.eval())
    draw_partition(found, folder / "partition.png")
    found.plot().save(folder / "plot.png")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_users_settings_change_no_figure(name: Any, tmp_path: Path) -> None:
    """With a setting of the user's, such as LaTeX or a dark style, all figures are the same."""
    wanted = draw(tmp_path / "plain")
    with matplotlib.rc_context({name: SETTINGS[name]}):
        assert draw(tmp_path / "with") == wanted
        assert matplotlib.rcParams[name] == SETTINGS[name]

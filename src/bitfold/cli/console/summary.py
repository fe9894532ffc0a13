"""The panel that ends the demo: losses, bits and where the pictures lie."""

from __future__ import annotations

import math

import numpy as np
import torch
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from bitfold.errors import PolytopeError
from bitfold.kolmogorov import Description, KolmogorovLoss
from bitfold.polytopes import partition, sample_partition
from bitfold.recording import slice_plane, without_sigmoid
from bitfold.targets import Window, window_axes
from bitfold.training import Run, RunEnded

_RASTER = 1024


def summary_panel(run: Run, ended: RunEnded, console: Console) -> None:
    """Print what a run came to."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    last = {name: column[-1] for name, column in run.metrics.items() if column}
    _add_losses(table, last)
    if ended.kolmogorov is not None:
        table.add_row()
        _add_bits(table, ended.kolmogorov)
        _add_decoded(table, run, ended.kolmogorov)
    table.add_row()
    _add_polytopes(table, run)
    console.print(Panel(table, title=f"{run.config.target}, {run.config.shape}", expand=False))
    for label, name in (
        ("video", "video.mp4"), ("last frame", "last_frame.png"), ("losses", "loss.png"),
    ):  # fmt: skip
        console.print(
            f"  {label:<11}{run.path / name}", markup=False, highlight=False, soft_wrap=True
        )


def _add_losses(table: Table, last: dict[str, float | int | None]) -> None:
    rows = (
        ("task loss", "task_loss", ".5f", "mean squared error, over the last epoch"),
        ("PSNR", "psnr_db", ".2f", "dB, on the validation points"),
        ("K", "kolmogorov_loss", ".4f", "nats per weight"),
    )
    for label, name, form, note in rows:
        value = last.get(name)
        if value is not None:
            table.add_row(label, f"{value:{form}}", note)


def _add_bits(table: Table, kolmogorov: KolmogorovLoss) -> None:
    description: Description = kolmogorov.bits()
    for name, bits in description.items.items():
        table.add_row(name.replace("_", " "), f"{bits:,.0f}", "bits")
    plain = 32 * kolmogorov.num_weights
    table.add_row("description", f"{description.total:,.0f}", "bits in all")
    share = description.total / plain
    table.add_row("as float32", f"{plain:,}", f"bits; the description is {share:.0%} of that")


def _add_decoded(table: Table, run: Run, kolmogorov: KolmogorovLoss) -> None:
    """Say how good the network is that a decoder of the description gets."""
    decoded = run.new_network().eval()
    decoded.load_state_dict(kolmogorov.decoded_state())
    points = torch.from_numpy(run.target.grid.coordinates(run.split.validation))
    with torch.inference_mode():
        outputs = decoded(points).numpy()
    error = float(np.square(outputs - run.target.values(run.split.validation)).mean())
    table.add_row("PSNR, decoded", f"{-10 * math.log10(error):.2f}", "dB, weights as described")


def _add_polytopes(table: Table, run: Run) -> None:
    network, window = run.network().eval(), Window()
    time = 0.0 if run.target.is_clip else None
    corners = (window.x0, window.y0), (window.x1, window.y1)
    try:
        exact = partition(without_sigmoid(network)[0], corners, slice_plane(time))
    except PolytopeError:
        xs, ys = window_axes(window, _RASTER, _RASTER)
        extra = () if time is None else (time,)
        number = sample_partition(network, xs, ys, extra=extra).num_polytopes
        table.add_row("polytopes", f"{number:,}", f"seen on {_RASTER} x {_RASTER} points")
        return
    where = "of the middle slice" if run.target.is_clip else "of the picture"
    table.add_row("polytopes", f"{exact.num_polytopes:,}", f"{where}, exactly")

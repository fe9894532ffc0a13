"""The panel that ends the demo: losses, bits and where the pictures lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.table import Table

from bitfold import experiments
from bitfold.cli.console.output import cell, plain

if TYPE_CHECKING:
    from rich.console import Console

    from bitfold.kolmogorov import KolmogorovLoss
    from bitfold.training import Run, RunEnded


def summary_panel(run: Run, ended: RunEnded, console: Console) -> None:
    """Print losses, description and polytopes of a run, and the paths of its pictures."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    last = {name: column[-1] for name, column in run.metrics.items() if column}
    _add_losses(table, last)
    if ended.kolmogorov is not None:
        table.add_row()
        _add_bits(table, ended.kolmogorov)
        psnr = experiments.decoded_psnr_db(run, ended.kolmogorov)
        table.add_row(
            "PSNR, decoded",
            experiments.psnr_text(psnr),
            "on the validation points, with the weights as described",
        )
    table.add_row()
    _add_polytopes(table, run)
    console.print(
        Panel(table, title=cell(f"{run.config.target}, {run.config.shape}"), expand=False)
    )
    for label, name in (
        ("video", "video.mp4"), ("last frame", "last_frame.png"), ("losses", "loss.png"),
    ):  # fmt: skip
        console.print(f"  {label:<11}{plain(run.path / name)}", soft_wrap=True)


def _add_losses(table: Table, last: dict[str, float | int | None]) -> None:
    rows = (
        ("task loss", "task_loss", "{:.5f}".format, "mean squared error, over the last epoch"),
        ("PSNR", "psnr_db", experiments.psnr_text, "on the validation points"),
        ("K", "kolmogorov_loss", "{:.4f}".format, "nats per weight"),
    )
    for label, name, text, note in rows:
        value = last.get(name)
        if value is not None:
            table.add_row(label, text(value), note)


def _add_bits(table: Table, kolmogorov: KolmogorovLoss) -> None:
    description = kolmogorov.bits()
    for name, bits in description.items.items():
        table.add_row(name.replace("_", " "), f"{bits:,.0f}", "bits")
    plain = 32 * kolmogorov.num_weights
    table.add_row("description", f"{description.total:,.0f}", "bits in all")
    share = description.total / plain
    table.add_row("as float32", f"{plain:,}", f"bits; the description is {share:.0%} of that")


def _add_polytopes(table: Table, run: Run) -> None:
    found = experiments.count_polytopes(run)
    note = "of the middle slice" if run.target.is_clip else "of the picture"
    note += ", exactly"
    if not found.is_exact:
        note = f"seen on {found.side} x {found.side} points"
    table.add_row("polytopes", f"{found.number:,}", note)

"""``bitfold plot RUN [RUN ...]``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold.cli.options import add_presentation
from bitfold.recording import draw_loss_figure
from bitfold.training import load_run


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "plot",
        help="draw the losses of one or several runs",
        description="Draw combined, task, lambda*K and validation loss over epochs.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="folders of runs")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path,
        help="a .png or .svg file (default: loss.png in the run, or here for several)",
    )  # fmt: skip
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw the figure and say where it lies."""
    runs = [load_run(path) for path in arguments.runs]
    output = arguments.output or (runs[0].path if len(runs) == 1 else Path()) / "loss.png"
    draw_loss_figure(runs, output)
    if not arguments.quiet:
        print(output)
    return 0

"""``bitfold plot RUN [RUN ...]``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold.cli.console.options import add_presentation
from bitfold.recording import draw_loss_figure
from bitfold.training import load_run

#: What can be drawn, and how the figure is called.
NAMES = {"losses": "loss.png", "folds": "folds.png"}


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "plot",
        help="draw the losses or folds of one or several runs",
        description="Draw losses over epochs, or what was measured of folds beside the losses.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="folders of runs")
    parser.add_argument(
        "--what", choices=tuple(NAMES), default="losses",
        help="losses, or polytopes, folds, neurons and slopes beside them (default: losses)",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path,
        help="a .png or .svg file (default: loss.png or folds.png in the run, or here for several)",
    )  # fmt: skip
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw the figure and say where it lies."""
    runs = [load_run(path) for path in arguments.runs]
    folder = runs[0].path if len(runs) == 1 else Path()
    output = arguments.output or folder / NAMES[arguments.what]
    draw_loss_figure(runs, output, what=arguments.what)
    if not arguments.quiet:
        print(output)
    return 0

"""``bitfold plot RUN [RUN ...]``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold import recording, training
from bitfold.cli.console.options import add_presentation
from bitfold.cli.console.output import say

#: Each kind of figure, and the name of its file.
NAMES = {"losses": "loss.png", "folds": "folds.png"}


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "plot",
        help="draw the losses or the folds of one or several runs",
        description="Draw the losses over the epochs, alone or with measures of the folds.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="folders of the runs")
    parser.add_argument(
        "--what", choices=tuple(NAMES), default="losses",
        help="losses: losses alone; folds: also polytopes, fold lengths, neurons and slopes "
        "(default: losses)",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path,
        help="a .png or .svg file (default: loss.png or folds.png, in the run's folder, or in the "
        "current folder for several runs)",
    )  # fmt: skip
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw the figure and print its path."""
    runs = [training.load_run(path) for path in arguments.runs]
    folder = runs[0].path if len(runs) == 1 else Path()
    output = arguments.output or folder / NAMES[arguments.what]
    recording.draw_loss_figure(runs, output, what=arguments.what)
    if not arguments.quiet:
        say(output)
    return 0

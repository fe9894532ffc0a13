"""``bitfold compare SWEEP | RUN ...``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold import experiments
from bitfold.cli.console.options import add_presentation
from bitfold.cli.console.output import say


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "compare",
        usage="bitfold compare SWEEP|RUN ... [options]",
        help="write one HTML page that compares the members of a sweep, or runs",
        description="Write an HTML page that needs no other file and no internet: a table that "
        "sorts and filters, curves with medians and ranges by any setting, size against error, the "
        "folds of each network, and what each setting changes, over seeds.",
    )
    parser.add_argument("paths", metavar="SWEEP|RUN", nargs="+", type=Path,
                        help="folders of sweeps and of runs")  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="HTML", type=Path,
        help="the page to write (default: compare.html in the sweep's folder, or here)",
    )  # fmt: skip
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page and print its path."""
    found = experiments.compare_runs(arguments.paths, arguments.output)
    if not arguments.quiet:
        say(f"{found.num_runs:,} runs")
        say(found.path)
    return 0

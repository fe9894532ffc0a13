"""``bitfold report RUN``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold import experiments, training
from bitfold.cli.console.options import add_places, add_presentation, given_places
from bitfold.cli.console.output import say


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "report",
        help="write one HTML page on the size and the quality of a run's network",
        description="Write an HTML page that needs no other file and no internet: size and error "
        "of the run's model file, the training, what each byte is for, the size of the same "
        "weights under usual compressors, and the bound on the error that follows from the size.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of the run")
    parser.add_argument(
        "-o", "--output", metavar="HTML", type=Path,
        help="the page to write (default: report.html in the run's folder)",
    )  # fmt: skip
    parser.add_argument("--model", metavar="FILE", type=Path,
                        help="a .bitfold file of the run's newest network (default: the file that "
                        "`bitfold compress` writes)")  # fmt: skip
    add_places(parser, "checkpoint_dir")
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page and print its path."""
    found = training.load_run(arguments.run, **given_places(arguments))
    report = experiments.write_report(found, arguments.output, model=arguments.model)
    if not arguments.quiet:
        say(f"{len(report.coded.data):,} bytes, {report.coded.how}")
        say(report.path)
    return 0

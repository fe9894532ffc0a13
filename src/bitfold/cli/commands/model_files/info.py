"""``bitfold info net.bitfold``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold import model_file
from bitfold.cli.console.options import add_presentation
from bitfold.cli.console.output import say


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "info",
        help="list what each byte of a model file is for",
        description="List the parts of a .bitfold file: header, steps, predictor, and each tensor "
        "with its bits, zeros and dead outputs. The parts add up to the size of the file.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a .bitfold file")
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    info = model_file.model_info(arguments.file)
    if not arguments.quiet:
        say(info)
    return 0

"""``bitfold picture IN -o OUT``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold import experiments
from bitfold.cli.console.options import add_presentation
from bitfold.cli.console.output import Console
from bitfold.cli.console.picture_panel import SearchProgress, print_panel

#: Minutes of a search where the command line gives none.
MINUTES = 5.0


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "picture",
        help="find a small good file of a picture, and compare it with JPEG, WebP and AVIF",
        description="Search shapes, encodings and lambdas for the network of a picture that is the "
        "best within a size, or the smallest of a quality. The best file so far is at the output's "
        "path at any time; OUT.search/picture.png shows it. The same command goes on where it was "
        "stopped, and more minutes search on.",
    )
    parser.add_argument("picture", metavar="IN", help="the path of a picture")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True,
                        help="the file to write, for example out.bitfold")  # fmt: skip
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument("--bytes", type=int, metavar="N",
                      help="write at most N bytes (default: 0.3 bits a pixel)")  # fmt: skip
    goal.add_argument("--psnr", type=float, metavar="DB",
                      help="write the smallest file of at least DB decibels")  # fmt: skip
    parser.add_argument("--minutes", type=float, metavar="M", default=MINUTES,
                        help=f"minutes of training in all (default: {MINUTES:g})")  # fmt: skip
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Search, then print the panel and write the page."""
    console = Console(quiet=arguments.quiet)
    with SearchProgress(console) as progress:
        found = experiments.compress_picture(
            arguments.picture,
            arguments.output,
            experiments.Goal(num_bytes=arguments.bytes, psnr_db=arguments.psnr),
            arguments.minutes,
            listeners=[progress],
        )
    if found.best is not None:
        comparison = experiments.compare_picture(found)
        page = found.path.with_suffix(".html")
        comparison.write_page(page)
        print_panel(comparison, page, console)
    if found.exit_code:
        console.print(
            "Stopped; the same command goes on.", markup=False, highlight=False, soft_wrap=True
        )
    return found.exit_code or (0 if found.reaches_goal else 1)

"""``bitfold export RUN -o run.html``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold.cli.console.options import add_presentation
from bitfold.cli.console.output import say
from bitfold.errors import StudioError

_USUAL_MEGABYTES = 10.0


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "export",
        help="write a recorded run as one page that opens from disk",
        description="Write the recorded moments of a run as one HTML file: time line, folds, "
        "curves, and values under the pointer. It needs no server and no network.",
    )
    parser.add_argument("run", metavar="RUN", help="folder of the run")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True, help="the page, an .html"
    )
    parser.add_argument(
        "--megabytes",
        type=float,
        default=_USUAL_MEGABYTES,
        metavar="M",
        help="the largest size of the page; moments are thinned to it (default: 10)",
    )
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page, and print its size."""
    from bitfold.studio.export.replay_page import write_replay_page  # noqa: PLC0415 - loads PyTorch

    path = arguments.output
    if path.suffix.lower() not in {".html", ".htm"}:
        raise StudioError(f"Cannot write {path}: expected a name ending in .html. Rename it.")
    if not 0 < arguments.megabytes < 1000:
        raise StudioError(
            f"Cannot write a page of {arguments.megabytes:g} megabytes: expected more than 0 and "
            "less than 1000. Change --megabytes."
        )
    count = write_replay_page(path, arguments.run, most_bytes=int(arguments.megabytes * 1e6))
    size = path.stat().st_size / 1e6
    if not arguments.quiet:
        say(f"{path}: {count} moments, {size:.1f} MB")
    return 0

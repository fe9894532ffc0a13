"""``bitfold warm-up``."""

from __future__ import annotations

import argparse
import time
from typing import Any

from bitfold.cli.console.options import add_presentation


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "warm-up",
        help="compile all loops now, so that the first run starts at once",
        description="Compile every loop of training, drawing and model files that is not on disk "
        "yet. Compiled loops are kept in NUMBA_CACHE_DIR if it is set, else beside the package, "
        "else in the user's folder for caches.",
    )
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Compile, and show a bar on a terminal."""
    # Imported late: each takes longer than printing help.

    from bitfold.cli.console.compile_bar import CompileBar  # noqa: PLC0415
    from bitfold.cli.console.output import Console  # noqa: PLC0415
    from bitfold.recording.warm_up import warm_up  # noqa: PLC0415

    console, start = Console(quiet=arguments.quiet), time.monotonic()
    with CompileBar(console) as bar:
        warm_up(bar.update)
    seconds = time.monotonic() - start
    console.print(f"All loops are compiled, after {seconds:.0f} s.")
    return 0

"""``bitfold demo``: the first thing that a newcomer runs."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitfold import experiments, training
from bitfold.cli.commands.train import train_and_draw
from bitfold.cli.console.options import add_presentation
from bitfold.cli.console.output import Console, say
from bitfold.cli.console.summary import summary_panel
from bitfold.runtime.atomic_files import write_atomically

if TYPE_CHECKING:
    from bitfold.training import Run

FILE_NAME = "ring.bitfold"


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "demo",
        help="watch a network fold a plane into a ring, in a minute",
        description="Train a network on the built-in ring with K, draw it, and print a summary.",
    )
    parser.add_argument(
        "--seed", type=int, default=0,
        help="seed of the weights, the points and their order (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output-dir", metavar="DIR", help="folder of the run (default: a new one in runs/)"
    )
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Train and draw; print a summary and write the model file."""
    if arguments.output_dir:
        return _run_in(arguments.output_dir, arguments)
    with training.claimed_folder(Path("runs"), "demo") as folder:
        return _run_in(str(folder), arguments)


def _run_in(folder: str, arguments: argparse.Namespace) -> int:
    config = experiments.demo_config(arguments.seed, folder)
    results = train_and_draw(config, quiet=arguments.quiet, expects_file=not arguments.quiet)
    if not arguments.quiet and results.ended.reason == "completed":
        summary_panel(results.run, results.ended, Console())
        _write_file(results.run)
    return results.ended.exit_code


def _write_file(run: Run) -> None:
    """Write the network as a model file; print its size and the command that draws it."""
    path = run.path / FILE_NAME
    data = experiments.code_run(run).data
    write_atomically(path, data)
    again = f"bitfold decompress {shlex.quote(str(path))} -o ring.png --size 1024"
    say(f"  The ring in {len(data):,} bytes: {again}")

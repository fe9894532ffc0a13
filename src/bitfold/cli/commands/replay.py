"""``bitfold replay RUN``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from bitfold import training
from bitfold.cli.console.options import add_presentation
from bitfold.cli.console.output import Console
from bitfold.cli.console.training_listeners import CommandListeners

DIFFERS = 1


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "replay",
        help="train a run again with the same changes, and compare",
        description="Train a run again from its start, with the changes that its changes.jsonl "
        "records, and compare the metrics of each epoch to the last bit. The exit code is 0 if "
        "all are equal, else 1. On another machine, or with other versions, sums may be rounded "
        "otherwise.",
    )
    parser.add_argument("run", metavar="RUN", help="folder of the run")
    parser.add_argument(
        "-o", "--output-dir", metavar="FOLDER", help="keep the second run, in this new folder"
    )
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Train again, print the first difference, and return 1 if there is one."""
    first = training.load_run(arguments.run)
    with tempfile.TemporaryDirectory(prefix="bitfold-replay-") as temporary:
        folder = Path(arguments.output_dir or Path(temporary) / "run")
        shown = first.config.replace(log_file=None, tensorboard=False)
        draws = arguments.output_dir is not None
        with CommandListeners(shown, [], quiet=arguments.quiet, draws=draws) as listeners:
            second = first.replay(folder, listeners.all)
        found = training.first_difference(first, second)
        num_epochs = len(second.metrics["epoch"])
    console = Console(quiet=arguments.quiet, soft_wrap=True)
    if found is not None:
        console.print(f"{found} The runs differ.")
        return DIFFERS
    line = f"All metrics of {num_epochs} epochs are equal to the last bit."
    console.print(line)
    return 0

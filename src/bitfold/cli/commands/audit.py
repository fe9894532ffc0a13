"""``bitfold audit RUN``."""

from __future__ import annotations

import argparse
from typing import Any

from bitfold import training
from bitfold.cli.console.options import add_places, add_presentation, given_places
from bitfold.cli.console.output import say

CUT = 1


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "audit",
        help="check that each loss term's gradient reaches network and predictor",
        description="Check, at a run's newest checkpoint, that the gradients of task loss and K "
        "reach network and predictor. The exit code is 0 if no gradient is cut, else 1.",
    )
    parser.add_argument("run", metavar="RUN", help="folder of the run")
    add_places(parser, "checkpoint_dir")
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Audit, print the table, and return 1 if a gradient is cut."""
    audit = training.audit_run(arguments.run, **given_places(arguments))
    if not arguments.quiet:
        say(audit)
    return 0 if audit.ok else CUT

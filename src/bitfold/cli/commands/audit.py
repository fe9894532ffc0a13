"""``bitfold audit RUN``."""

from __future__ import annotations

import argparse
from typing import Any

from bitfold.cli.console.options import add_presentation
from bitfold.training import audit_run

CUT = 1


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "audit",
        help="check that every loss term of a run reaches what it depends on",
        description="Check, at a run's newest checkpoint, that the gradients of task loss and K "
        "reach network and predictor. Exit code 0 if none is cut, 1 if one is.",
    )
    parser.add_argument("run", metavar="RUN", help="folder of the run")
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Audit, print the table, and say by the exit code whether a gradient is cut."""
    audit = audit_run(arguments.run)
    if not arguments.quiet:
        print(audit)
    return 0 if audit.ok else CUT

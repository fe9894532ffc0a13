"""``bitfold resume RUN``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from bitfold import training
from bitfold.cli.commands.train import Results, show_results
from bitfold.cli.console.options import add_presentation, add_settings, given_settings
from bitfold.cli.console.training_listeners import CommandListeners


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "resume",
        usage="bitfold resume RUN [options]",
        help="continue a run from its newest checkpoint",
        description="Continue a run from its newest checkpoint. A setting that is given is "
        "changed. Settings of the weight predictor can be changed only in a run that had none.",
    )
    parser.add_argument("run", metavar="RUN", help="folder of the run")
    add_settings(parser, names=training.resumable_settings())
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Continue, and return the exit code of how training ended."""
    changes = given_settings(arguments)
    results = resume_and_draw(Path(arguments.run), changes, quiet=arguments.quiet)
    show_results(results.run, Console(quiet=arguments.quiet))
    return results.ended.exit_code


def resume_and_draw(
    path: Path, changes: dict[str, Any], *, quiet: bool, every_epoch: bool = False
) -> Results:
    """Continue a run; show its progress and draw its frames."""
    config = training.load_run(path).config
    shown = config.replace(**{n: v for n, v in changes.items() if n in ("log_file", "tensorboard")})
    listeners = CommandListeners(shown, quiet=quiet, every_epoch=every_epoch)
    with listeners:
        run = training.resume(path, listeners.all, **changes)
    return Results(run, listeners.ended)

"""``bitfold train TARGET``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from bitfold.cli.console.options import add_presentation, add_settings, make_config
from bitfold.cli.console.training_listeners import CommandListeners
from bitfold.training import Config, Run, RunEnded, train


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "train",
        help="train a network on a picture and draw its polytopes meanwhile",
        description="Train a network on a picture or clip and draw its polytopes meanwhile.",
    )
    parser.add_argument(
        "target",
        default=argparse.SUPPRESS,
        nargs="?",
        help="ring, rgb-ring, disk, spiral, checkerboard, text:LETTERS, or the path of a picture "
        "or clip",
    )
    parser.add_argument("--config", metavar="FILE", help="read settings from TOML; flags win")
    parser.add_argument(
        "--overwrite", action="store_true", help="delete the run that lies in --output-dir first"
    )
    add_settings(parser, leave_out=("target",))
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, and return how it ended."""
    config = make_config(arguments)
    results = train_and_draw(config, quiet=arguments.quiet, overwrite=arguments.overwrite)
    show_results(results.run, Console(quiet=arguments.quiet))
    return results.ended.exit_code


@dataclass(frozen=True)
class Results:
    """What a training program of the command line goes on with.

    Args:
        run: the run.
        ended: how it ended.
    """

    run: Run
    ended: RunEnded


def train_and_draw(
    config: Config, *, quiet: bool, overwrite: bool = False, every_epoch: bool = False
) -> Results:
    """Train with everything that the command line shows and draws."""
    listeners = CommandListeners(config, quiet=quiet, every_epoch=every_epoch)
    with listeners:
        run = train(config, listeners.all, overwrite=overwrite)
    return Results(run, listeners.ended)


def show_results(run: Run, console: Console) -> None:
    """Say where the results lie."""
    for name in ("video.mp4", "last_frame.png", "loss.png"):
        if (run.path / name).exists():
            console.print(f"  {run.path / name}", markup=False, highlight=False, soft_wrap=True)

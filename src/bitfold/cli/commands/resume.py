"""``bitfold resume RUN``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold import training
from bitfold.cli.commands.train import Results, show_results
from bitfold.cli.console.options import add_presentation, add_settings, given_settings
from bitfold.cli.console.output import Console
from bitfold.cli.console.progress import log_listeners
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
    add_settings(parser, names=[*training.resumable_settings(), *training.PLACES])
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Continue, and return the exit code of how training ended."""
    changes = given_settings(arguments)
    results = resume_and_draw(Path(arguments.run), changes, quiet=arguments.quiet)
    show_results(results.run, Console(quiet=arguments.quiet))
    return results.ended.exit_code


def _left_out(log_file: str) -> str:
    return (
        f"The log is not continued: the run's config.toml names {log_file!r}, outside the run, and "
        f"may be a stranger's. If it is yours, repeat `log_file='{log_file}'`."
    )


def resume_and_draw(
    path: Path, changes: dict[str, Any], *, quiet: bool, every_epoch: bool = False
) -> Results:
    """Continue a run; show its progress and draw its frames."""
    before = training.load_run(path).config
    config = before.replace(
        **{n: v for n, v in changes.items() if n in ("log_file", "tensorboard")}
    )
    logs = log_listeners(config, None if "log_file" in changes else path)
    listeners = CommandListeners(config, logs, quiet=quiet, every_epoch=every_epoch)
    with listeners:
        if config.log_file and not logs:
            listeners.all[1](training.Noticed(_left_out(config.log_file)))
        run = training.resume(path, listeners.all, **changes)
    return Results(run, listeners.ended)

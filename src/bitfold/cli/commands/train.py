"""``bitfold train TARGET``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from bitfold import experiments, targets, training
from bitfold.cli.commands.studio import show_training
from bitfold.cli.console.options import (
    add_presentation,
    add_settings,
    given_settings,
    make_config,
)
from bitfold.cli.console.output import Console, plain
from bitfold.cli.console.progress import log_listeners
from bitfold.cli.console.training_listeners import CommandListeners

if TYPE_CHECKING:
    from bitfold.training import Config, Run, RunEnded

#: The predictor of the shortest descriptions in docs/kolmogorov.md.
MEASURED_PREDICTOR = "row_column"


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "train",
        usage="bitfold train [TARGET] [options]",
        help="train a network on a picture and draw its polytopes meanwhile",
        description="Train a network on a picture or clip and draw its polytopes meanwhile. "
        "Settings that are not given are chosen to suit a picture of yours.",
    )
    parser.add_argument(
        "target",
        default=argparse.SUPPRESS,
        nargs="?",
        help="ring, rgb-ring, disk, spiral, checkerboard, text:LETTERS, or the path of a picture "
        "or clip",
    )
    add_settings(parser, leave_out=("target",))
    add_config(parser)
    parser.add_argument(
        "--overwrite", action="store_true", help="first delete the run that lies in --output-dir"
    )
    parser.add_argument("--studio", action="store_true", help="show the training on a live page")
    add_presentation(parser)
    parser.set_defaults(command=run)


def with_measured_predictor(config: Config) -> Config:
    """Choose ``row_column`` where a run with K leaves its predictor open.

    The coordinate predictor, which `Config` and the draw-poly programs take, is itself most of the
    description of a small network. A setting that only it has chooses it still.
    """
    is_open = config.kolmogorov_predictor is None and config.kolmogorov.is_active
    names = ("kolmogorov_shape", "kolmogorov_loss_type", "kolmogorov_predictor_bits")
    defaults = {item.name: item.default for item in fields(config)}
    if not is_open or any(getattr(config, name) != defaults[name] for name in names):
        return config
    return replace(config, kolmogorov_predictor=MEASURED_PREDICTOR)


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``."""
    parser.add_argument(
        "--config", metavar="FILE", help="read settings from a TOML file; flags win over the file"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, and return the exit code of how training ended."""
    config = make_config(arguments)
    if arguments.config is None:
        config = with_measured_predictor(config)
        if not targets.is_builtin(config.target):
            config = suited(config, given_settings(arguments), quiet=arguments.quiet)
    if arguments.studio:
        return show_training(config)
    results = train_and_draw(config, quiet=arguments.quiet, overwrite=arguments.overwrite)
    show_results(results.run, Console(quiet=arguments.quiet))
    return results.ended.exit_code


def suited(config: Config, given: Mapping[str, Any], *, quiet: bool) -> Config:
    """Fill what is left open with settings that suit the picture, and say so in a line.

    Args:
        config: with the picture's target.
        given: settings that are chosen already.
        quiet: whether nothing is printed.
    """
    target = targets.load_target(config.target, size=config.size, task=config.task)
    found = experiments.picture_settings(target, given)
    if found.values:
        Console(quiet=quiet).print(str(found), markup=False, highlight=False, soft_wrap=True)
    return replace(config, **found.values)


@dataclass(frozen=True)
class Results:
    """The outcome of a training program of the command line.

    Args:
        run: the run.
        ended: the last event of the training.
    """

    run: Run
    ended: RunEnded


def train_and_draw(
    config: Config,
    *,
    quiet: bool,
    overwrite: bool = False,
    every_epoch: bool = False,
    expects_file: bool = False,
) -> Results:
    """Train a new run; show its progress and draw its frames."""
    logs = log_listeners(config)
    listeners = CommandListeners(
        config, logs, quiet=quiet, every_epoch=every_epoch, expects_file=expects_file
    )
    with listeners:
        run = training.train(config, listeners.all, overwrite=overwrite)
    return Results(run, listeners.ended)


def show_results(run: Run, console: Console) -> None:
    """Print the paths of video, last frame and loss figure."""
    for name in ("video.mp4", "last_frame.png", "loss.png"):
        if (run.path / name).exists():
            console.print(f"  {plain(run.path / name)}", soft_wrap=True)

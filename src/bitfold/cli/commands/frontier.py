"""``bitfold frontier TARGET``."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bitfold.cli.console.options import add_presentation, add_settings, make_config, require
from bitfold.cli.frontier_record import (
    FrontierPoint,
    FrontierRecord,
    Wanted,
    Weight,
    check_same,
    read_record,
)
from bitfold.cli.frontier_report import draw_figures, print_table
from bitfold.cli.frontier_training import measured_point, run_name, train_point
from bitfold.errors import ConfigError
from bitfold.targets import load_target
from bitfold.training import Config, RunFolder, dated_folder, load_run, settings_of

#: What a curve is trained with where nothing is said.
DEFAULTS: dict[str, Any] = {"kolmogorov_quantise": "learned", "learning_rate": 3e-3}
LAMBDAS = "0.0003,0.001,0.003,0.01,0.03,0.1"
# What each network has of its own.
_OWN = ("kolmogorov_weight", "seed", "output_dir")
_STOPPED = ("interrupted", "terminated")


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "frontier",
        help="train a curve of lambdas, from the smallest network to the best",
        description="Train a network for each lambda and seed, write each as a model file, and "
        "show size against error of what the files decode to. The same command goes on where it "
        "was stopped; more lambdas or seeds extend the curve.",
    )
    parser.add_argument(
        "target",
        default=argparse.SUPPRESS,
        nargs="?",
        help="as of `bitfold train`",
    )
    curve = parser.add_argument_group("curve")
    curve.add_argument("--lambdas", metavar="LIST",
                       help="numbers, or bits:N, with commas between; or FROM:TO:COUNT, in equal "
                       f"ratios (default: {LAMBDAS})")  # fmt: skip
    curve.add_argument("--seeds", metavar="LIST",
                       help="a curve for each, with commas between (default: 0)")  # fmt: skip
    wanted = curve.add_mutually_exclusive_group()
    wanted.add_argument("--bytes", type=int, metavar="N",
                        help="the best is the one of least error within N bytes; by default it "
                        "has the least product of bytes and error")  # fmt: skip
    wanted.add_argument("--psnr", type=float, metavar="DB",
                        help="the best is the smallest of at least so many decibels")  # fmt: skip
    wanted.add_argument("--error", type=float, metavar="X",
                        help="the best is the smallest of at most this mean squared error, or of "
                        "classes share of wrong pixels")  # fmt: skip
    curve.add_argument("--output-dir", "-o", metavar="DIR", type=Path,
                       help="folder of the curve; by default a new dated one")  # fmt: skip
    parser.add_argument("--config", metavar="FILE", help="read settings from TOML; flags win")
    add_settings(parser, leave_out=("target", *_OWN), defaults=DEFAULTS)
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Train what is missing, and show the curve."""
    console = Console(quiet=arguments.quiet)
    folder, record, config = _plan(arguments)
    place = RunFolder(folder)
    place.make()
    with place.lock():
        record.write(folder)
        ending = _train_missing(folder, record, config, console)
        record = read_record(folder) or record
        if record.front():
            draw_figures(record, folder)
        print_table(record, folder, console)
    if ending:
        num_left = len(record.missing())
        console.print(
            f"Interrupted: {num_left} of {num_left + len(record.points)} networks are left. "
            f"Go on with: bitfold frontier -o {folder}",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    return ending


def _train_missing(folder: Path, record: FrontierRecord, config: Config, console: Console) -> int:
    """Train and measure what is missing, one by one; return 0, or the exit code of a stop."""
    missing = record.missing()
    for number, (weight, seed) in enumerate(missing, 1):
        console.print(
            f"[{number}/{len(missing)}] lambda {weight}, seed {seed}",
            markup=False, highlight=False,
        )  # fmt: skip
        name = run_name(weight, seed)
        own = config.replace(kolmogorov_weight=weight, seed=seed, output_dir=str(folder / name))
        try:
            ended = train_point(own, quiet=console.quiet)
            if ended.reason in _STOPPED:
                return ended.exit_code
            if ended.reason == "completed":
                point = measured_point(load_run(folder / name), weight, folder)
            else:
                point = FrontierPoint(weight, seed, name, ended.reason)
        except KeyboardInterrupt:
            return 130
        record = record.with_point(point)
        record.write(folder)
    return 0


def _plan(arguments: argparse.Namespace) -> tuple[Path, FrontierRecord, Config]:
    """Where the curve lies, what is wanted of it, and the settings of its networks."""
    folder: Path | None = arguments.output_dir
    if folder is not None:
        folder = folder.expanduser().resolve()
        require(
            not RunFolder(folder).is_run(),
            f"Cannot train a frontier in {folder}: expected a folder of its own, got a run's. "
            "Choose another --output-dir.",
        )
    del arguments.output_dir
    before = read_record(folder) if folder is not None else None
    config = make_config(arguments, **_first_values(arguments, before))
    weights, seeds = _asked(arguments, before)
    for weight in weights:
        config.replace(kolmogorov_weight=weight)
    settings = _settings(config)
    if before is not None and folder is not None:
        check_same(before, settings, folder)
    task = load_target(config.target, size=config.size, task=config.task).task
    wanted = _wanted(arguments, task)
    if folder is None:
        folder = dated_folder(Path("runs"), f"{Path(config.target).stem}-frontier").resolve()
    record = before or FrontierRecord(settings, (), ())
    changed = replace(
        record,
        kolmogorov_weights=tuple(dict.fromkeys((*record.kolmogorov_weights, *weights))),
        seeds=tuple(dict.fromkeys((*record.seeds, *seeds))),
        wanted=wanted if wanted != Wanted() else record.wanted,
    )
    return folder, changed, config


def _first_values(arguments: argparse.Namespace, before: FrontierRecord | None) -> dict[str, Any]:
    """What settings are where the command line says nothing."""
    if before is not None:
        return {**before.settings, "kolmogorov_weight": before.kolmogorov_weights[0]}
    return {**DEFAULTS, "kolmogorov_weight": _weights(arguments.lambdas or LAMBDAS)[0]}


def _settings(config: Config) -> dict[str, Any]:
    """The settings that all networks share, as JSON holds them."""
    values = {name: getattr(config, name) for name, _, _ in settings_of(Config)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if name not in _OWN and value is not None
    }


def _asked(
    arguments: argparse.Namespace, before: FrontierRecord | None
) -> tuple[list[Weight], list[int]]:
    weights = arguments.lambdas or ("" if before else LAMBDAS)
    seeds = arguments.seeds or ("" if before else "0")
    return (_weights(weights) if weights else []), (_seeds(seeds) if seeds else [])


def _weights(text: str) -> list[Weight]:
    first, _, rest = text.partition(":")
    if rest.count(":") == 1 and "," not in text:
        return _range(text, *(first, *rest.split(":")))
    return [_weight(word.strip()) for word in text.split(",")]


def _weight(word: str) -> Weight:
    if word.startswith("bits:"):
        return word
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ConfigError(
            "Cannot use --lambdas: expected numbers above 0, or bits:N, with commas between, got "
            f"{word[:100]!r}. Write for example {LAMBDAS} or 0.001:0.1:5."
        )
    return number


def _range(text: str, first: str, last: str, count: str) -> list[Weight]:
    """So many numbers in equal ratios, to three digits."""
    try:
        low, high, number = float(first), float(last), int(count)
    except ValueError:
        low = high = math.nan
        number = 0
    if not (0 < low < high < math.inf and 2 <= number <= 1000):
        raise ConfigError(
            "Cannot use --lambdas: expected FROM:TO:COUNT with 0 < FROM < TO and 2 to 1000 of "
            f"them, got {text[:100]!r}. Write for example 0.001:0.1:5."
        )
    ratio = (high / low) ** (1 / (number - 1))
    return [float(f"{low * ratio**index:.3g}") for index in range(number)]


def _seeds(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdecimal() and len(word) < 19 for word in words):
        raise ConfigError(
            "Cannot use --seeds: expected whole numbers of at least 0 with commas between, got "
            f"{text[:100]!r}. Write for example 0,1,2."
        )
    return list(dict.fromkeys(int(word) for word in words))


def _wanted(arguments: argparse.Namespace, task: str) -> Wanted:
    if arguments.psnr is not None:
        require(
            task == "regression",
            "Cannot choose by a PSNR: expected a picture that is learned by regression, got "
            f"{task}. Use --error with the share of wrong pixels.",
        )
    least = arguments.error
    if arguments.psnr is not None:
        least = 10 ** (-arguments.psnr / 10) if abs(arguments.psnr) < 1000 else math.nan
    if least is not None and not (math.isfinite(least) and least >= 0):
        raise ConfigError(
            "Cannot choose the best: expected a finite --psnr, or an --error of at least 0, got "
            f"{arguments.psnr if arguments.error is None else arguments.error}. Change it."
        )
    if arguments.bytes is not None and arguments.bytes < 1:
        raise ConfigError(
            f"Cannot use --bytes: expected at least 1, got {arguments.bytes}. Ask for more."
        )
    return Wanted(arguments.bytes, least)

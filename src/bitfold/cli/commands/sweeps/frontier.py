"""``bitfold frontier TARGET``."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitfold import experiments
from bitfold.cli.commands.train import add_config
from bitfold.cli.console.options import (
    add_goal,
    add_presentation,
    add_settings,
    given_goal,
    make_config,
    require,
)
from bitfold.cli.console.output import Console, plain
from bitfold.cli.console.sweeps.frontier_table import FrontierProgress, print_table
from bitfold.errors import ConfigError
from bitfold.experiments.frontiers.record import read_record
from bitfold.runtime.strangers.user_paths import absolute_path
from bitfold.training import PLACES, is_within

if TYPE_CHECKING:
    from bitfold.experiments.frontiers.record import FrontierRecord, Weight

#: Settings of the trainings where the command line gives none.
DEFAULTS: dict[str, Any] = {"kolmogorov_quantise": "learned", "learning_rate": 3e-3}
LAMBDAS = "0.0003,0.001,0.003,0.01,0.03,0.1"


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "frontier",
        usage="bitfold frontier [TARGET] [options]",
        help="train networks of several lambdas, from the smallest file to the least error",
        description="Train a network for each lambda and seed and write each as a model file. Show "
        "the sizes of the files against the errors of the networks that they decode to. The same "
        "command continues a curve that was stopped; more lambdas or seeds extend it.",
    )
    parser.add_argument(
        "target",
        default=argparse.SUPPRESS,
        nargs="?",
        help="the same as for `bitfold train`",
    )
    curve = parser.add_argument_group("curve")
    curve.add_argument("--lambdas", metavar="LIST",
                       help="numbers, or bits:N, separated by commas; or FROM:TO:COUNT, spaced in "
                       f"equal ratios (default: {LAMBDAS})")  # fmt: skip
    curve.add_argument(
        "--seeds", metavar="LIST",
        help="train a curve for each seed, separated by commas (default: 0)",
    )  # fmt: skip
    add_goal(
        curve,
        num_bytes="the best network has the least error within N bytes (default: it has the least "
        "product of bytes and error, of those with at most twice the least error)",
        psnr="the best network is the smallest of at least DB decibels",
        error="the best network is the smallest with a mean squared error of at most X; for "
        "classes, a share X of wrong pixels",
    )
    curve.add_argument("--jobs", "-j", metavar="N", type=int, default=1,
                       help="networks that are trained at a time (default: 1)")  # fmt: skip
    curve.add_argument("--output-dir", "-o", metavar="DIR", type=Path,
                       help="folder of the curve (default: a new dated one in runs/)")  # fmt: skip
    add_config(parser)
    left_out = ("target", "kolmogorov_weight", "seed", "output_dir")
    add_settings(parser, leave_out=left_out, defaults=DEFAULTS)
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Train the networks that are missing, and print the table of all."""
    console, folder = Console(quiet=arguments.quiet), arguments.output_dir
    # The curve's folder is no setting of its runs.
    del arguments.output_dir
    before = None if folder is None else read_record(absolute_path(folder))
    lambdas = _lambdas(arguments.lambdas or ("" if before else LAMBDAS))
    seeds = _seeds(arguments.seeds or ("" if before else "0"))
    config = make_config(arguments, **_first_values(before, lambdas, arguments))
    with FrontierProgress(console) as progress:
        found = experiments.frontier(
            config, lambdas, seeds, folder, goal=given_goal(arguments), jobs=arguments.jobs,
            listeners=[progress],
        )  # fmt: skip
    print_table(found, console)
    if found.exit_code:
        num_left = len(found.missing)
        console.print(
            f"Interrupted: {num_left} of {num_left + len(found.points)} networks are left. "
            f"Go on with: bitfold frontier -o {plain(found.path)}",
            soft_wrap=True,
        )  # fmt: skip
    return found.exit_code


def _first_values(
    before: FrontierRecord | None, lambdas: list[Weight], arguments: argparse.Namespace
) -> dict[str, Any]:
    """The settings where the command line gives none: those of the curve, or the defaults.

    Raises:
        ConfigError: the curve's folder, which may be a stranger's, names one outside of it.
    """
    if before is not None:
        kept = {name: value for name, value in before.settings.items() if name != "log_file"}
        for name in PLACES:
            place = str(kept.get(name, ""))
            require(
                is_within(place) or hasattr(arguments, name),
                f"Cannot continue this curve without `{name}`: expected a folder within each run, "
                f"got {place!r} in its record. If it is yours, repeat `{name}='{place}'`.",
            )
        return {**kept, "kolmogorov_weight": before.kolmogorov_weights[0]}
    return {**DEFAULTS, "kolmogorov_weight": lambdas[0]}


def _lambdas(text: str) -> list[Weight]:
    """Parse a list of lambdas, or a range; an empty text gives an empty list."""
    if not text:
        return []
    first, _, rest = text.partition(":")
    if rest.count(":") == 1 and "," not in text:
        return _range(text, *(first, *rest.split(":")))
    return [_lambda(word.strip()) for word in text.split(",")]


def _lambda(word: str) -> Weight:
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
    """Return ``count`` numbers in equal ratios, rounded to three digits."""
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
    """Parse a list of seeds; an empty text gives an empty list."""
    words = [word.strip() for word in text.split(",")] if text else []
    if not all(word.isascii() and word.isdecimal() and len(word) < 19 for word in words):
        raise ConfigError(
            "Cannot use --seeds: expected whole numbers of at least 0 with commas between, got "
            f"{text[:100]!r}. Write for example 0,1,2."
        )
    return list(dict.fromkeys(int(word) for word in words))

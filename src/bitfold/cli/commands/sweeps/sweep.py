"""``bitfold sweep TARGET``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitfold import experiments, targets
from bitfold.cli.commands.train import add_config, suited, with_measured_predictor
from bitfold.cli.console.options import (
    add_presentation,
    add_settings,
    given_settings,
    make_config,
    require,
)
from bitfold.cli.console.output import Console, plain
from bitfold.cli.console.progress import log_listeners
from bitfold.cli.console.sweeps.sweep_progress import SweepProgress, print_summary
from bitfold.runtime.strangers.user_paths import absolute_path
from bitfold.training import PLACES, is_within

if TYPE_CHECKING:
    from bitfold.experiments import RayPlace, Sweep, SweepRecord
    from bitfold.training import Config


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "sweep",
        usage="bitfold sweep [TARGET] --vary NAME=VALUES ... [options]",
        help="train a run for each combination of settings, several at a time",
        description="Train a run for each combination of values. Each is an ordinary run folder "
        "within the sweep's. The same command goes on where it was stopped; further values extend "
        "the sweep. Settings that are not varied are those of `bitfold train`.",
    )
    parser.add_argument(
        "target", default=argparse.SUPPRESS, nargs="?", help="the same as for `bitfold train`"
    )
    _add_members(parser.add_argument_group("members"))
    add_config(parser)
    add_settings(parser, leave_out=("target", "output_dir"))
    add_presentation(parser)
    parser.set_defaults(command=run)


def _add_members(group: Any) -> None:
    group.add_argument(
        "--vary", metavar="NAME=VALUES", action="append", default=[],
        help="values of a setting, with commas between, or a range as Python's: seed=0:10 has ten "
        "(repeatable: all combinations are trained)",
    )  # fmt: skip
    group.add_argument(
        "--plan", metavar="FILE",
        help="combinations of settings: a CSV file with a row for each, or a TOML file with "
        "[[members]] and [vary]",
    )  # fmt: skip
    group.add_argument("--output-dir", "-o", metavar="DIR", type=Path,
                       help="folder of the sweep (default: a new dated one in runs/)")  # fmt: skip
    group.add_argument("--jobs", "-j", metavar="N", type=int,
                       help="members at a time (default: as the processor has cores)")  # fmt: skip
    group.add_argument("--isolate", action="store_true",
                       help="with one job too, a crash ends its member alone")  # fmt: skip
    group.add_argument("--engine", choices=("local", "ray"), default="local",
                       help="what trains the members (default: local)")  # fmt: skip
    group.add_argument("--ray-address", metavar="ADDRESS",
                       help="of Ray's cluster, or auto (default: this machine)")  # fmt: skip
    group.add_argument("--ray-gpus", metavar="N", type=float, default=0.0,
                       help="GPUs of each member, or a share of one (default: 0)")  # fmt: skip
    group.add_argument("--no-files", action="store_true",
                       help="write no model files, whose size and error the table has")  # fmt: skip
    group.add_argument("--part", metavar="I/N",
                       help="train the I-th of N parts of the members alone")  # fmt: skip
    group.add_argument("--merge", metavar="PART", nargs="+", type=Path,
                       help="put the parts in these folders together; train nothing")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Train the members that are missing, and tell how all ended."""
    console, folder = Console(quiet=arguments.quiet), arguments.output_dir
    # The sweep's folder is no setting of its runs.
    del arguments.output_dir
    if arguments.merge is not None:
        return _merge(arguments, folder, console)
    combinations, grid = _asked(arguments)
    before = None if folder is None else experiments.read_sweep_record(absolute_path(folder))
    config = _config(arguments, before, combinations, grid)
    logs = log_listeners(config)
    with SweepProgress(console, logs) as progress:
        found = experiments.sweep(
            config, grid, folder, combinations=combinations, jobs=arguments.jobs,
            isolate=arguments.isolate, ray=_ray(arguments), files=not arguments.no_files,
            part=_part(arguments.part), listeners=[progress],
        )  # fmt: skip
    print_summary(found, console)
    return found.exit_code


def _merge(arguments: argparse.Namespace, folder: Path | None, console: Console) -> int:
    require(
        not (arguments.vary or arguments.plan or arguments.part or hasattr(arguments, "target")),
        "Cannot merge parts and train: expected folders after --merge alone. Train afterwards, "
        "with the same -o.",
    )
    require(folder is not None, "Cannot merge without a folder: give the new sweep's with -o.")
    assert folder is not None
    found: Sweep = experiments.merge_sweeps(arguments.merge, folder)
    print_summary(found, console)
    return found.exit_code


def _asked(
    arguments: argparse.Namespace,
) -> tuple[Sequence[Mapping[str, Any]], Mapping[str, Sequence[Any]]]:
    """The listed combinations and the grid of the command line."""
    combinations: Sequence[Mapping[str, Any]] = ()
    grid: dict[str, Sequence[Any]] = {}
    if arguments.plan is not None:
        plan = experiments.read_plan(arguments.plan)
        combinations = plan.combinations
        grid |= plan.grid or {}
    for text in arguments.vary:
        name, values = experiments.parse_variation(text)
        require(
            name not in grid,
            f"Cannot vary `{name}` twice: expected one list of its values. Put all of them there.",
        )
        grid[name] = values
    return combinations, grid


def _config(
    arguments: argparse.Namespace,
    before: SweepRecord | None,
    combinations: Sequence[Mapping[str, Any]],
    grid: Mapping[str, Sequence[Any]],
) -> Config:
    """The shared settings: of the command line, and else those that the sweep was begun with."""
    varied = {**{name: v for row in combinations for name, v in row.items()},
              **{name: some[0] for name, some in grid.items() if len(some)}}  # fmt: skip
    twice = sorted(set(varied) & set(given_settings(arguments)))
    require(
        not twice,
        f"Cannot vary `{twice[0] if twice else ''}` and give it: expected one of both. Leave the "
        "option out.",
    )
    if before is not None:
        for name in PLACES:
            place = str(before.settings.get(name, ""))
            require(
                is_within(place) or hasattr(arguments, name),
                f"Cannot continue this sweep without `{name}`: expected a folder within each run, "
                f"got {place!r} in its record. If it is yours, repeat `{name}='{place}'`.",
            )
        return make_config(arguments, **before.settings)
    config = make_config(arguments)
    if arguments.config is not None:
        return config
    if "target" not in varied and not targets.is_builtin(config.target):
        config = suited(
            config, {**given_settings(arguments), **varied, "minutes": None}, quiet=arguments.quiet
        )
    if "kolmogorov_weight" in varied and "kolmogorov_predictor" not in varied:
        own = {name: v for name, v in varied.items() if name.startswith("kolmogorov_")}
        chosen = with_measured_predictor(config.replace(**{**own, "kolmogorov_weight": 1.0}))
        return config.replace(kolmogorov_predictor=chosen.kolmogorov_predictor)
    return with_measured_predictor(config)


def _ray(arguments: argparse.Namespace) -> RayPlace | None:
    if arguments.engine == "ray":
        return experiments.RayPlace(arguments.ray_address, arguments.ray_gpus)
    require(
        arguments.ray_address is None and arguments.ray_gpus == 0,
        "Cannot use --ray-address or --ray-gpus without --engine ray. Add it, or leave them out.",
    )
    return None


def _part(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, second = text.partition("/")
    is_whole = all(
        word.isascii() and word.isdecimal() and len(word) < 9 for word in (first, second)
    )
    require(
        is_whole,
        f"Cannot use --part {plain(text[:50])!r}: expected I/N, two whole numbers. Write for "
        "example 1/8.",
    )
    return int(first), int(second)

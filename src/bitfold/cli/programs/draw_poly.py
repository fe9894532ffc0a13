"""The common part of the two draw-poly programs: their options, on bitfold's own training."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bitfold import training
from bitfold.cli.commands.resume import resume_and_draw
from bitfold.cli.commands.train import show_results, train_and_draw
from bitfold.cli.console.options import (
    add_presentation,
    add_settings,
    given_settings,
    make_config,
    require,
)
from bitfold.cli.console.output import Console
from bitfold.cli.console.parser import OneLineParser
from bitfold.cli.main import run_command
from bitfold.errors import RunError

_SHARED = (
    "shape", "epochs", "seed", "points", "batch_size", "learning_rate", "output_dir",
    "snapshot_dir", "optimizer", "momentum", "adam_eps", "weight_decay", "amsgrad", "muon_eps",
    "muon_momentum", "muon_ns_steps", "muon_nesterov", "muon_adjust_lr_fn", "grad_clip_norm",
    "use_compile", "save_interval", "snapshot_format", "png_compression", "jpeg_quality",
    "log_file", "checkpoint_interval", "checkpoint_dir", "kolmogorov_shape", "kolmogorov_weight",
    "kolmogorov_loss_type", "kolmogorov_bins", "kolmogorov_weight_min", "kolmogorov_weight_max",
    "kolmogorov_lr", "device", "threads", "no_watchdog", "activation",
    "kolmogorov_warmup", "kolmogorov_noise_std", "audit",
)  # fmt: skip
_DEFAULTS: dict[str, Any] = {"output_dir": "results", "save_interval": "1"}


def main(
    program: str,
    description: str,
    *,
    own_settings: Sequence[str],
    fixed: dict[str, Any],
    arguments: Sequence[str] | None = None,
) -> int:
    """Run a draw-poly program and return its exit code.

    Args:
        program: the name of the program.
        description: a sentence for its help.
        own_settings: further settings of this program.
        fixed: settings whose values the program decides.
        arguments: the command line; by default this process's.
    """
    parser = _parser(program, description, own_settings)
    given = parser.parse_args(arguments)
    return run_command(lambda: _run(given, fixed), debug=given.debug)


def _parser(program: str, description: str, own_settings: Sequence[str]) -> OneLineParser:
    parser = OneLineParser(prog=program, description=description, allow_abbrev=True)
    parser.add_argument("--input", "-i", metavar="PICTURE", help="the picture to learn")
    add_settings(parser, names=[*_SHARED, *own_settings], defaults=_DEFAULTS)
    resuming = parser.add_argument_group("resuming")
    resuming.add_argument("--resume", metavar="PATH", type=Path,
                          help="continue a run: its folder, one of its checkpoints, or a folder "
                          "of runs, of which the newest is continued")  # fmt: skip
    resuming.add_argument("--resume-optimizer", metavar="NAME", help="continue with this optimiser")
    resuming.add_argument("--resume-lr", metavar="RATE", help="continue with this learning rate")
    former = parser.add_argument_group("accepted, but without effect")
    former.add_argument("--chunk-size", type=int, help="formerly: points in one pass when drawing")
    former.add_argument("--empty-cache-each-viz-chunk", action="store_true",
                        help="formerly: free device memory between passes")  # fmt: skip
    add_presentation(parser)
    return parser


def _run(arguments: argparse.Namespace, fixed: dict[str, Any]) -> int:
    if not arguments.quiet:
        _explain_former(arguments)
    if arguments.resume is not None:
        return _resume(arguments)
    for name in ("resume_optimizer", "resume_lr"):
        alone = getattr(arguments, name) is None
        require(alone, f"Cannot use {training.flag(name)}: expected --resume beside it, got none.")
    require(
        arguments.input is not None,
        "Cannot start: expected --input PICTURE, got none. Give the picture to learn.",
    )
    config = make_config(arguments, target=arguments.input, **_DEFAULTS, **fixed)
    # Each run gets a folder of its own, so that the files of two runs never mix.
    parent = Path(config.output_dir or "results")
    with training.claimed_folder(parent, arguments.input) as folder:
        config = config.replace(output_dir=str(folder))
        results = train_and_draw(config, quiet=arguments.quiet, every_epoch=True)
    show_results(results.run, Console(quiet=arguments.quiet))
    return results.ended.exit_code


def _resume(arguments: argparse.Namespace) -> int:
    folder = find_run(arguments.resume, Path(getattr(arguments, "output_dir", "results")))
    before = training.load_run(folder).config
    if arguments.resume_optimizer is not None:
        arguments.optimizer = arguments.resume_optimizer
    if arguments.resume_lr is not None:
        arguments.learning_rate = arguments.resume_lr
    given = given_settings(arguments)
    changes = {
        name: value
        for name, value in given.items()
        if name in training.PLACES or (name != "output_dir" and value != getattr(before, name))
    }
    names = ", ".join(
        training.flag(name)
        for name in changes
        if name not in (*training.resumable_settings(), *training.PLACES)
    )
    if names and not arguments.quiet:
        Console(stderr=True).print(f"Not as in {folder}: {names}.")
    results = resume_and_draw(folder, changes, quiet=arguments.quiet, every_epoch=True)
    show_results(results.run, Console(quiet=arguments.quiet))
    return results.ended.exit_code


def find_run(path: Path, output_dir: Path) -> Path:
    """Return the folder of the run that a path belongs to.

    Args:
        path: the folder of a run, a file within it, or a folder of runs.
        output_dir: the folder of runs whose checkpoints lie elsewhere.

    Raises:
        RunError: no run is found.
    """
    for candidate in (path, *path.parents, output_dir / path.parent.name):
        if training.RunFolder(candidate).is_run():
            return candidate
    held = [c.parent for c in path.glob("*/config.toml")] if path.is_dir() else []
    if not held:
        raise RunError(
            f"Cannot resume {path}: there is no run there. Give a run's folder or its checkpoint."
        )
    return max(held, key=lambda folder: (folder / "run.json").stat().st_mtime)


def _explain_former(arguments: argparse.Namespace) -> None:
    former = []
    if arguments.chunk_size is not None:
        former.append("--chunk-size")
    if arguments.empty_cache_each_viz_chunk:
        former.append("--empty-cache-each-viz-chunk")
    if former:
        Console(stderr=True).print(
            f"{' and '.join(former)} no longer mean anything: drawing bounds its own memory.",
            soft_wrap=True,
        )

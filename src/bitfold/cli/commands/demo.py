"""``bitfold demo``: what a newcomer sees first."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console

from bitfold.cli.commands.train import train_and_draw
from bitfold.cli.console.options import add_presentation
from bitfold.cli.console.summary import summary_panel
from bitfold.cli.run_file import code_run
from bitfold.runtime.atomic_files import write_atomically
from bitfold.training import Config, Run, dated_folder

#: Chosen by trials over seeds, so that the ring is plain and its file some hundred bytes long.
DEMO: dict[str, Any] = {
    "target": "ring",
    "size": 512,
    "shape": "[12]*6",
    "epochs": 2000,
    "learning_rate": 0.005,
    "kolmogorov_quantise": "learned",
    "kolmogorov_weight": 0.003,
    "snapshot_format": "none",
    "fold_colour": "layer",
}
FILE_NAME = "ring.bitfold"


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "demo",
        help="watch a network fold a plane into a ring, in a minute",
        description="Train on the built-in ring with K and draw it; ends with a summary.",
    )
    parser.add_argument("--seed", type=int, default=0, help="decides everything (default: 0)")
    parser.add_argument(
        "-o", "--output-dir", metavar="DIR", help="folder of the run (default: a new one in runs/)"
    )
    add_presentation(parser)
    parser.set_defaults(command=run)


def demo_config(seed: int, output_dir: str | None) -> Config:
    """Return the demo's configuration."""
    folder = output_dir or str(dated_folder(Path("runs"), "demo"))
    return Config(**DEMO, seed=seed, output_dir=folder)


def run(arguments: argparse.Namespace) -> int:
    """Train, draw and sum up."""
    config = demo_config(arguments.seed, arguments.output_dir)
    results = train_and_draw(config, quiet=arguments.quiet)
    if not arguments.quiet and results.ended.reason == "completed":
        summary_panel(results.run, results.ended, Console())
        _write_file(results.run)
    return results.ended.exit_code


def _write_file(run: Run) -> None:
    """Write the network as a file, and say how short it is and how to see it again."""
    path = run.path / FILE_NAME
    data = code_run(run).data
    write_atomically(path, data)
    again = f"bitfold decompress {shlex.quote(str(path))} -o ring.png --size 1024"
    print(f"  The ring in {len(data):,} bytes: {again}")

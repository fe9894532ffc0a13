"""``bitfold polytopes RUN|CHECKPOINT``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from bitfold import experiments, polytopes, recording, targets
from bitfold.cli.console.options import add_places, add_presentation, given_places
from bitfold.cli.console.output import say
from bitfold.cli.console.search_bar import SearchBar

# Constants of packages that need PyTorch or Matplotlib, repeated so that the help loads without
# them. A test compares them with the originals.
FACE_COLOURINGS = ("value", "area", "slope", "identity", "none")
ENCODING_FOLDS = ("plain", "faint", "none")
COLUMN_MM, MAX_POLYTOPES = 85.0, 20_000_000


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "polytopes",
        help="find every polytope of a run's network, for print or for other programs",
        description="Find every polytope of a network exactly, and write them. The ending of the "
        "output decides the format: a figure (.svg, with a group for each layer, .pdf, .png), "
        "arrays for NumPy and bitfold.load_partition (.npz), or the graph of the function as a "
        "folded surface (.obj, .ply), whose facets are the polytopes.",
    )
    parser.add_argument(
        "path", metavar="RUN|CHECKPOINT", type=Path,
        help="folder of a run, or one of its checkpoints, which may lie anywhere",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True,
        help="the file to write; its ending decides the format",
    )  # fmt: skip
    parser.add_argument(
        "--epoch", type=int, metavar="N",
        help="of a run: an epoch whose weights it has kept (default: the last)",
    )  # fmt: skip
    parser.add_argument(
        "--window", nargs=4, type=float, metavar=("X0", "Y0", "X1", "Y1"),
        default=(-0.5, -0.5, 0.5, 0.5),
        help="the rectangle to look at, of any size; the picture is -0.5 -0.5 0.5 0.5",
    )  # fmt: skip
    parser.add_argument("--time", type=float, metavar="T",
                        help="clips: the time to cut at, -0.5 to 0.5 (default: 0)")  # fmt: skip
    _add_look(parser)
    _add_limits(parser)
    add_places(parser, "checkpoint_dir")
    add_presentation(parser)
    parser.set_defaults(command=run)


def _add_look(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--faces", choices=FACE_COLOURINGS, default="value", metavar="|".join(FACE_COLOURINGS),
        help="colour polytopes as the network shows them, by area, by slope, each in a colour of "
        "its own, or not at all (default: value)",
    )  # fmt: skip
    parser.add_argument(
        "--output-number", type=int, metavar="K",
        help="the output, from 0, whose value and height are shown (default: all outputs "
        "as one picture; its heights are the brightness, or of two classes the second output minus "
        "the first)",
    )  # fmt: skip
    parser.add_argument(
        "--encoding-folds", choices=ENCODING_FOLDS, default="faint",
        metavar="|".join(ENCODING_FOLDS),
        help="figures: folds of the encoding's own waves or grids: drawn as all others, faintly, "
        "or left out (default: faint)",
    )  # fmt: skip
    parser.add_argument("--height", type=float, default=1.0, metavar="H",
                        help="surfaces: multiply heights by H (default: 1)")  # fmt: skip
    parser.add_argument("--width", type=float, default=COLUMN_MM, metavar="MM",
                        help=f"figures: width in millimetres (default: {COLUMN_MM:g})")  # fmt: skip
    parser.add_argument("--no-legend", action="store_true", help="figures: leave out the legend")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-polytopes", type=int, default=MAX_POLYTOPES, metavar="N",
        help=f"stop with an error if there are more than N (default: {MAX_POLYTOPES})",
    )  # fmt: skip
    parser.add_argument(
        "--max-seconds", type=float, metavar="S",
        help="stop with an error if the search takes longer than S seconds (default: no limit)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Find the polytopes, write the file, and print their number and its path."""
    output: Path = arguments.output
    experiments.check_ending(output)
    window = targets.Window(*arguments.window)
    view = recording.NetworkView.of(arguments.path, arguments.epoch, **given_places(arguments))
    with SearchBar(Console(stderr=True, quiet=arguments.quiet)) as bar:
        found = polytopes.partition(
            view.network,
            ((window.x0, window.y0), (window.x1, window.y1)),
            view.plane(arguments.time),
            max_polytopes=arguments.max_polytopes,
            progress=bar,
            max_seconds=arguments.max_seconds,
        )
    look = experiments.PartitionLook(
        faces=arguments.faces,
        output_number=arguments.output_number,
        height=arguments.height,
        width_mm=arguments.width,
        has_legend=not arguments.no_legend,
        encoding_folds=arguments.encoding_folds,
    )
    experiments.write_partition(found, view, output, look)
    if not arguments.quiet:
        say(f"{found.num_polytopes:,} polytopes")
        say(output)
    return 0

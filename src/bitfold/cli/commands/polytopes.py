"""``bitfold polytopes RUN|CHECKPOINT``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold.cli.console.options import add_presentation
from bitfold.errors import RenderError
from bitfold.polytopes import Partition, partition
from bitfold.polytopes.drawing.filling import FACE_COLOURINGS, FaceColouring, check_output
from bitfold.polytopes.search import MAX_POLYTOPES
from bitfold.recording import NetworkView
from bitfold.render import FigureStyle, draw_partition, surface_of, write_surface
from bitfold.render.partitions.partition_figure import COLUMN_MM
from bitfold.render.partitions.partition_figure import SUFFIXES as FIGURES
from bitfold.render.partitions.surface import SUFFIXES as MESHES
from bitfold.targets import Window

_ENDINGS = (*FIGURES, ".npz", *MESHES)


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "polytopes",
        help="find every polytope of a run's network, for print or other programs",
        description="Find every polytope of a network exactly. The ending of the output says what "
        "becomes of them: a figure (.svg, with a group for each layer, .pdf, .png), arrays for "
        "NumPy and bitfold.load_partition (.npz), or the graph of the function as a folded "
        "surface (.obj, .ply), whose facets are the polytopes.",
    )
    parser.add_argument(
        "path", metavar="RUN|CHECKPOINT", type=Path,
        help="folder of a run, or one of its checkpoints, wherever it lies",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True,
        help="where to write; its ending says what",
    )  # fmt: skip
    parser.add_argument(
        "--epoch", type=int, metavar="N",
        help="of a run: one whose weights it has kept (default: the last)",
    )  # fmt: skip
    parser.add_argument(
        "--window", nargs=4, type=float, metavar=("X0", "Y0", "X1", "Y1"),
        default=(-0.5, -0.5, 0.5, 0.5),
        help="the rectangle to look at, as small as you like; the picture is -0.5 -0.5 0.5 0.5",
    )  # fmt: skip
    parser.add_argument("--time", type=float, metavar="T",
                        help="of a clip: the time to cut at, -0.5 to 0.5 (default: 0)")  # fmt: skip
    parser.add_argument(
        "--faces", choices=FACE_COLOURINGS, default="value", metavar="|".join(FACE_COLOURINGS),
        help="how polytopes are coloured: as the network shows them, by area, by slope, each in "
        "a colour of its own, or not at all (default: value)",
    )  # fmt: skip
    parser.add_argument(
        "--output-number", type=int, metavar="K",
        help="the output, from 0, whose value and height are shown (default: all as one "
        "picture; heights are brightness, of two classes the second less the first)",
    )  # fmt: skip
    parser.add_argument("--height", type=float, default=1.0, metavar="H",
                        help="surfaces: heights are outputs times this (default: 1)")  # fmt: skip
    parser.add_argument("--width", type=float, default=COLUMN_MM, metavar="MM",
                        help=f"figures: width in millimetres (default: {COLUMN_MM:g})")  # fmt: skip
    parser.add_argument("--no-legend", action="store_true", help="figures: the plane alone")
    parser.add_argument(
        "--max-polytopes", type=int, default=MAX_POLYTOPES, metavar="N",
        help=f"end with an error if there are more (default: {MAX_POLYTOPES})",
    )  # fmt: skip
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Find them, write the file, and say how many there are and where it lies."""
    output: Path = arguments.output
    if output.suffix.lower() not in _ENDINGS:
        raise RenderError(
            f"Cannot write polytopes into {output}: expected a name ending in "
            f"{', '.join(_ENDINGS)}, got {output.suffix or 'no ending'}. Rename it."
        )
    window = Window(*arguments.window)
    view = NetworkView.of(arguments.path, arguments.epoch)
    found = partition(
        view.network,
        ((window.x0, window.y0), (window.x1, window.y1)),
        view.plane(arguments.time),
        max_polytopes=arguments.max_polytopes,
    )
    if arguments.output_number is not None:
        check_output(found.vertex_outputs, arguments.output_number)
    _write(found, view, arguments)
    if not arguments.quiet:
        print(f"{found.num_polytopes:,} polytopes")
        print(output)
    return 0


def _write(found: Partition, view: NetworkView, arguments: argparse.Namespace) -> None:
    output, number = arguments.output, arguments.output_number
    is_picture = arguments.faces == "value" and number is None
    faces: FaceColouring = view.colours if is_picture else arguments.faces
    kind = output.suffix.lower()
    if kind == ".npz":
        found.save(output)
    elif kind in MESHES:
        heights = arguments.height * view.heights(found, number)
        surface = surface_of(found, heights, faces=faces, output=number or 0, is_y_down=True)
        write_surface(output, surface)
    else:
        style = FigureStyle(
            faces=faces,
            output=number or 0,
            boundary=view.has_classes,
            has_legend=not arguments.no_legend,
            width_mm=arguments.width,
            is_y_down=True,
        )
        draw_partition(found, output, style)

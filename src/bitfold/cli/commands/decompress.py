"""``bitfold decompress net.bitfold -o picture.png``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold.cli.console.options import add_presentation
from bitfold.cli.pictures import draw_picture
from bitfold.errors import RenderError
from bitfold.model_file import read_model
from bitfold.networks import PolytopeNet
from bitfold.polytopes.drawing.plotting import layer_colours
from bitfold.recording import NetworkView
from bitfold.render.encode import encode_png
from bitfold.runtime.atomic_files import write_atomically

_MOST_PIXELS = 2**28


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "decompress",
        help="draw the picture that a model file holds",
        description="Draw the picture of a run's .bitfold file at any size. Networks of one or "
        "three outputs give grey or colours, others the most likely class.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a .bitfold file of a run")
    parser.add_argument("-o", "--output", metavar="PNG", type=Path, required=True,
                        help="where to write the picture")  # fmt: skip
    parser.add_argument("--size", type=int, nargs="+", default=[1024], metavar="PX",
                        help="width, and height if it differs (default: 1024)")  # fmt: skip
    parser.add_argument("--time", type=float, default=0.0, metavar="T",
                        help="of a clip: -0.5 to 0.5 (default: 0)")  # fmt: skip
    parser.add_argument("--classes", action="store_true",
                        help="outputs are those of classes, also if there are three")  # fmt: skip
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Read the network, draw, and say how few bytes the picture was."""
    network = read_model(arguments.file)
    width, height = _size(arguments.size)
    if not isinstance(network, PolytopeNet) or network.in_features not in {2, 3}:
        raise RenderError(
            f"Cannot draw {arguments.file}: expected a network of a picture or clip, with 2 or 3 "
            "inputs, got another. Read it with bitfold.read_model."
        )
    is_classes = arguments.classes or network.out_features not in {1, 3}
    colours = layer_colours(network.out_features) if is_classes else None
    picture = draw_picture(NetworkView(network, colours), width, height, arguments.time)
    try:
        write_atomically(arguments.output, encode_png(picture))
    except OSError as error:
        raise RenderError(
            f"Cannot write {arguments.output}: {error.strerror}. Choose another place."
        ) from None
    if not arguments.quiet:
        print(f"{width} x {height} pixels from {arguments.file.stat().st_size:,} bytes")
        print(arguments.output)
    return 0


def _size(given: list[int]) -> tuple[int, int]:
    if len(given) > 2 or min(given) < 1 or given[0] * given[-1] > _MOST_PIXELS:
        raise RenderError(
            f"Cannot draw at size {given}: expected one or two sides of at least 1 pixel, and at "
            f"most {_MOST_PIXELS:,} pixels, got others. Pass for example --size 1024."
        )
    return given[0], given[-1]

"""``bitfold decompress net.bitfold -o picture.png``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitfold import experiments, model_file, render
from bitfold.cli.console.options import add_presentation
from bitfold.cli.console.output import say
from bitfold.errors import RenderError
from bitfold.runtime.atomic_files import write_atomically

if TYPE_CHECKING:
    from bitfold.networks import PolytopeNet

_MAX_PIXELS = 2**28


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "decompress",
        help="draw the picture or clip that a model file holds",
        description="Draw the picture or clip of a run's .bitfold file at any size, with the "
        "aspect that it was learned with. A network of one output gives grey, one of three outputs "
        "gives colours, any other the most likely class. To -o model.safetensors it writes the "
        "tensors of any file that has their names.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a .bitfold file of a run")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True,
        help="the picture to write, a .png; of a clip also an .mp4, with all its frames; or a "
        ".safetensors",
    )  # fmt: skip
    parser.add_argument(
        "--size", type=int, nargs="+", default=[1024], metavar="PX",
        help="the longer side, or width and height (default: 1024)",
    )  # fmt: skip
    parser.add_argument(
        "--time", type=float, default=0.0, metavar="T",
        help="clips: the time of a .png, -0.5 to 0.5 (default: 0)",
    )  # fmt: skip
    parser.add_argument("--classes", action="store_true",
                        help="treat three outputs as classes, and not as colours")  # fmt: skip
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw the picture, and print its size and the size of the file."""
    if arguments.output.suffix == model_file.TENSORS_SUFFIX:
        return _write_tensors(arguments)
    _check_size(arguments.size)
    network = experiments.read_picture_network(arguments.file)
    experiments.check_picture_name(arguments.output, network)
    width, height = arguments.size[0], arguments.size[-1]
    if len(arguments.size) == 1 and network.picture is not None:
        width, height = network.picture.size_px(arguments.size[0])
    if arguments.output.suffix.lower() == ".mp4":
        return _write_clip(arguments, network, (width, height))
    picture = experiments.draw_network(
        network, width, height, arguments.time, has_classes=arguments.classes
    )
    try:
        write_atomically(arguments.output, render.encode_png(picture))
    except OSError as error:
        raise RenderError(
            f"Cannot write {arguments.output}: {error.strerror}. Choose another place."
        ) from None
    _report(arguments, f"{width} x {height} pixels")
    return 0


def _write_tensors(arguments: argparse.Namespace) -> int:
    """Write the tensors of a file by their names."""
    num_bytes = model_file.write_safetensors(arguments.output, arguments.file)
    if not arguments.quiet:
        say(f"{num_bytes:,} bytes from {arguments.file.stat().st_size:,}")
        say(arguments.output)
    return 0


def _write_clip(arguments: argparse.Namespace, network: PolytopeNet, size: tuple[int, int]) -> int:
    count = experiments.write_clip(network, arguments.output, size, has_classes=arguments.classes)
    _report(arguments, f"{count} frames of {size[0]} x {size[1]} pixels")
    return 0


def _report(arguments: argparse.Namespace, written: str) -> None:
    if not arguments.quiet:
        say(f"{written} from {arguments.file.stat().st_size:,} bytes")
        say(arguments.output)


def _check_size(given: list[int]) -> None:
    if len(given) > 2 or min(given) < 1 or given[0] * given[-1] > _MAX_PIXELS:
        raise RenderError(
            "Cannot draw: expected one or two sides of at least 1 pixel, and at most "
            f"{_MAX_PIXELS:,} pixels, got --size {' '.join(map(str, given))}. "
            "Pass for example --size 1024."
        )

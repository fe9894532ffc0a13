"""``bitfold compress RUN -o net.bitfold``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold.cli.console.options import add_presentation, require
from bitfold.cli.quality import QualityMeter, spread_pixels
from bitfold.cli.run_file import MOST_PIXELS, Wish, code_run
from bitfold.errors import ModelFileError
from bitfold.model_file import model_info
from bitfold.runtime.atomic_files import write_atomically
from bitfold.training import load_run


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "compress",
        help="write a run's network as a model file",
        description="Write the network of a run as a .bitfold file, which holds all that it takes "
        "to draw its picture again. The weights of a run with K are coded as K describes them, "
        "by K itself or by whatever is shorter; others are coded anew: to a size, to a quality of "
        "what is decoded, or with rounding errors 36 decibels below the weights.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of the run")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True,
                        help="where to write, for example net.bitfold")  # fmt: skip
    parser.add_argument("--epoch", type=int, metavar="N",
                        help="one whose weights the run has kept (default: the last)")  # fmt: skip
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("--bytes", type=int, metavar="N", help="at most so many bytes")
    wanted.add_argument("--psnr", type=float, metavar="DB",
                        help="of regression: a peak signal-to-noise ratio of at least so many "
                        "decibels, against the target")  # fmt: skip
    wanted.add_argument("--error", type=float, metavar="X",
                        help="a mean squared error, or of classes a share of wrong pixels, of at "
                        "most so much")  # fmt: skip
    by = parser.add_mutually_exclusive_group()
    by.add_argument("--as-trained", action="store_const", const=True,
                    help="code the weights that K describes, or say why not")  # fmt: skip
    by.add_argument("--anew", action="store_const", const=False, dest="as_trained",
                    help="round the network's own weights, whatever K says")  # fmt: skip
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file, and print what it consists of and what it was coded by."""
    wish = Wish(arguments.bytes, arguments.psnr, arguments.error, arguments.as_trained)
    require(
        not wish.as_trained or (wish.num_bytes, wish.psnr_db, wish.error) == (None, None, None),
        "Cannot compress as trained to a size or quality: expected --as-trained by itself, got "
        "--bytes, --psnr or --error too. Leave one of them out.",
    )
    found = load_run(arguments.run)
    coded = code_run(found, arguments.epoch, wish)
    try:
        write_atomically(arguments.output, coded.data)
    except OSError as error:
        raise ModelFileError(
            f"Cannot write {arguments.output}: {error.strerror}. Make room, or choose another "
            "place."
        ) from None
    if not arguments.quiet:
        meter = QualityMeter(found.target, spread_pixels(found.target, MOST_PIXELS))
        print(model_info(arguments.output))
        print(coded.how)
        print(f"{meter.measure(coded.network)} as decoded")
        print(f"{meter.measure(found.network(arguments.epoch))} of the network itself")
        print(arguments.output)
    return 0

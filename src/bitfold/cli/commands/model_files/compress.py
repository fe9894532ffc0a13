"""``bitfold compress RUN -o net.bitfold``, also of a .safetensors file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bitfold import experiments, model_file, training
from bitfold.cli.console.options import (
    add_goal,
    add_places,
    add_presentation,
    given_goal,
    given_places,
    require,
)
from bitfold.cli.console.output import say
from bitfold.errors import ModelFileError
from bitfold.runtime.atomic_files import write_atomically


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "compress",
        help="write a run's network, or a .safetensors file, as a model file",
        description="Write the network of a run as a .bitfold file. The file is all that is needed "
        "to draw the picture again. For a run with K, the weights that K describes are coded, by K "
        "or by plain codes, whichever is shorter. Otherwise the weights are rounded: to a size, to "
        "a quality of the decoded network, or so that the picture loses at most 0.3 dB "
        "or ends at 58.6 dB or more, which nobody sees, and a picture of classes loses at most one "
        "pixel in 2,000. "
        "Instead of a run it takes any model.safetensors, whose tensors are rounded and written by "
        "their names; bitfold decompress FILE -o model.safetensors writes them back.",
    )
    parser.add_argument("run", metavar="RUN", type=Path,
                        help="folder of the run, or a .safetensors file")  # fmt: skip
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True,
                        help="the file to write, for example net.bitfold")  # fmt: skip
    parser.add_argument(
        "--epoch", type=int, metavar="N",
        help="an epoch whose weights the run has kept (default: the last)",
    )  # fmt: skip
    add_goal(
        parser,
        num_bytes="write at most N bytes",
        psnr="regression: reach a peak signal-to-noise ratio of at least DB decibels",
        error="reach a mean squared error of at most X; for classes, a share X of wrong pixels",
    )
    by = parser.add_mutually_exclusive_group()
    by.add_argument(
        "--as-trained", action="store_const", const=True,
        help="code the weights that K describes; fail if that is impossible",
    )  # fmt: skip
    by.add_argument("--anew", action="store_const", const=False, dest="as_trained",
                    help="round the network's own weights, and ignore K")  # fmt: skip
    add_places(parser, "checkpoint_dir")
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file; print its parts, which code was used, and both qualities."""
    goal, as_trained = given_goal(arguments), arguments.as_trained
    require(
        not as_trained or goal == experiments.Goal(),
        "Cannot compress as trained to a size or quality: expected --as-trained by itself, got "
        "--bytes, --psnr or --error too. Leave one of them out.",
    )
    if arguments.run.suffix == model_file.TENSORS_SUFFIX:
        return _compress_tensors(arguments, goal)
    require(
        not arguments.run.is_file(),
        f"Cannot compress {arguments.run}: expected the folder of a run or a .safetensors file, "
        "got another file. Save its tensors with safetensors.torch.save_file, or call "
        "bitfold.write_model with the module.",
    )
    found = training.load_run(arguments.run, **given_places(arguments))
    coded = experiments.code_run(found, arguments.epoch, goal, as_trained=as_trained)
    try:
        write_atomically(arguments.output, coded.data)
    except OSError as error:
        raise ModelFileError(
            f"Cannot write {arguments.output}: {error.strerror}. Make room, or choose another "
            "place."
        ) from None
    if not arguments.quiet:
        itself = found.network(arguments.epoch)
        say(model_file.model_info(arguments.output))
        say(coded.how)
        as_of = found if arguments.epoch is None else found.at(arguments.epoch)
        meter = experiments.QualityMeter.spread(as_of.target)
        say(f"{meter.measure(coded.network)} as decoded")
        say(f"{meter.measure(itself)} of the network itself")
        say(f"both on {meter.where}")
        say(arguments.output)
    return 0


def _compress_tensors(arguments: argparse.Namespace, goal: experiments.Goal) -> int:
    """Write the tensors of a .safetensors file; print the parts."""
    is_alone = arguments.epoch is None and arguments.as_trained is None
    require(
        is_alone and goal.psnr_db is None and goal.error is None,
        f"Cannot compress {arguments.run}: expected at most --bytes with a .safetensors file, got "
        "an option for runs. Leave it out.",
    )
    model_file.write_model(arguments.output, arguments.run, num_bytes=goal.num_bytes)
    if not arguments.quiet:
        say(model_file.model_info(arguments.output))
        before, after = (path.stat().st_size for path in (arguments.run, arguments.output))
        say(f"{before:,} bytes became {after:,}, {before / after:.1f} times fewer")
        say(arguments.output)
    return 0

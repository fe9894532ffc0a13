"""``bitfold compress RUN -o net.bitfold``."""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bitfold.cli.options import add_presentation
from bitfold.codec import model_info, read_model, write_model
from bitfold.errors import ConfigError
from bitfold.targets import Target
from bitfold.training import Run, load_run

# Pixels that a quality is measured at, evenly spread.
_MOST_PIXELS = 2**16
# The tolerance is found to within a 2^12th of this range's logarithm.
_FINEST, _COARSEST, _BISECTIONS = 2.0**-16, 2.0, 12

Quality = Callable[[nn.Module], float]
"""Of a network: the higher the better."""


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "compress",
        help="write a run's network as a model file",
        description="Write the network of a run as a .bitfold file, which holds all that it takes "
        "to draw its picture again: to a size, to a quality of what is decoded, or with rounding "
        "errors 36 decibels below the weights.",
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
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file, and print what it consists of."""
    found = load_run(arguments.run)
    network = found.network(arguments.epoch)
    if arguments.psnr is not None or arguments.error is not None:
        quality, least = _quality(found, arguments)
        _write_as_good(arguments.output, network, quality, least)
    else:
        write_model(arguments.output, network, num_bytes=arguments.bytes, sort_neurons=True)
    if not arguments.quiet:
        print(model_info(arguments.output))
        is_regression = found.target.task == "regression"
        measured = _error(found.target)(read_model(arguments.output))
        print(f"{_told(measured, is_regression=is_regression)} as decoded")
        print(arguments.output)
    return 0


def _quality(found: Run, arguments: argparse.Namespace) -> tuple[Quality, float]:
    """Minus the error, and the least that is asked for."""
    error = _error(found.target)
    most = arguments.error
    if arguments.psnr is not None:
        if found.target.task != "regression":
            raise ConfigError(
                "Cannot compress to a PSNR: expected a run of regression, got one of "
                "classification. Use --error with the share of wrong pixels."
            )
        most = 10 ** (-arguments.psnr / 10)
    if not (most is not None and math.isfinite(most) and most >= 0):
        raise ConfigError(
            f"Cannot compress to this quality: expected a finite number, got {most}. Change it."
        )
    return lambda network: -error(network), -most


def _error(target: Target) -> Callable[[nn.Module], float]:
    """Mean squared error, or share of wrong pixels, of a network at pixels of the target."""
    usable = target.usable
    pixels = usable[np.arange(0, len(usable), max(1, len(usable) // _MOST_PIXELS))]
    points = torch.from_numpy(target.grid.coordinates(pixels))
    wanted = torch.from_numpy(target.values(pixels))

    @torch.no_grad()
    def error(network: nn.Module) -> float:
        outputs: Tensor = network(points)
        if target.task == "regression":
            return float((outputs - wanted.view_as(outputs)).square().mean())
        return float((outputs.argmax(1) != wanted.view(-1)).double().mean())

    return error


def _write_as_good(path: Path, network: nn.Module, quality: Quality, least: float) -> None:
    """The shortest file whose network, as decoded, is good enough."""

    def is_good(tolerance: float) -> bool:
        write_model(trial, network, tolerance=tolerance, sort_neurons=True)
        return quality(read_model(trial, into=copy.deepcopy(network))) >= least

    if quality(network) < least:
        raise ConfigError(
            f"Cannot compress to this quality: expected an error of at most {-least:.4g}, got "
            f"{-quality(network):.4g} of the network itself. Ask for less, or train on."
        )
    trial = path.with_name(path.name + ".trial")
    try:
        low, high = math.log2(_FINEST), math.log2(_COARSEST)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if is_good(2**middle) else (low, middle)
        tolerance = 2**low if is_good(2**low) else 0
        write_model(path, network, tolerance=tolerance, sort_neurons=True)
    finally:
        trial.unlink(missing_ok=True)


def _told(error: float, *, is_regression: bool) -> str:
    if not is_regression:
        return f"{100 * error:.2f} % of the pixels wrong"
    return f"mean squared error {error:.3g}, PSNR {-10 * math.log10(max(error, 1e-30)):.2f} dB"

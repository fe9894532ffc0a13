"""``bitfold report RUN``."""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import Any

from bitfold.cli.console.options import add_presentation
from bitfold.cli.page import gather, report_page
from bitfold.cli.run_file import CodedRun, code_run
from bitfold.errors import ModelFileError, RenderError, RunError
from bitfold.model_file import read_model
from bitfold.runtime.atomic_files import write_atomically
from bitfold.training import Run, load_run


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "report",
        help="write what a run's network takes and is worth, as one HTML file",
        description="Write a page that needs no other file and no network: size and error of the "
        "run's model file, the training, what each byte is for, what usual compressors take of "
        "the same weights, and the bound on the error that follows from the size.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of the run")
    parser.add_argument("-o", "--output", metavar="HTML", type=Path,
                        help="where to write (default: report.html in the run)")  # fmt: skip
    parser.add_argument("--model", metavar="FILE", type=Path,
                        help="a .bitfold file of the run's newest network (default: what `bitfold "
                        "compress` writes)")  # fmt: skip
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, write the page and say where it lies."""
    found = load_run(arguments.run)
    if not found.epochs():
        raise RunError(
            f"Cannot report on {found.path}: expected a run that has kept weights, got one without "
            "checkpoints or frames. Train it first."
        )
    given = arguments.model
    coded = code_run(found) if given is None else _read(found, given)
    page = report_page(gather(found, coded))
    output = arguments.output or found.path / "report.html"
    try:
        write_atomically(output, page.encode())
    except OSError as error:
        raise RenderError(
            f"Cannot write {output}: {error.strerror}. Make room, or choose another place."
        ) from None
    if not arguments.quiet:
        print(f"{len(coded.data):,} bytes, {coded.how}")
        print(output)
    return 0


def _read(found: Run, path: Path) -> CodedRun:
    """A file that was written before, if it is one of the run's architecture."""
    network = read_model(path)
    expected = copy.deepcopy(found.network())
    if repr(network) != repr(expected):
        raise ModelFileError(
            f"Cannot report on {path}: expected the network of {found.path}, "
            f"{_shape(expected)}, got {_shape(network)}. Give a file of this run."
        )
    return CodedRun(path.read_bytes(), network, f"coded as {path.name} has it")


def _shape(network: Any) -> str:
    first = str(network).splitlines()[0]
    return first.rstrip("(")

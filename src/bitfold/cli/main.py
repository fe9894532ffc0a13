"""The program ``bitfold``; each subcommand has a file in ``commands``."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from bitfold.cli.commands import (
    audit,
    demo,
    export,
    picture,
    plot,
    polytopes,
    render,
    replay,
    report,
    resume,
    studio,
    train,
)
from bitfold.cli.commands.model_files import compress, decompress, info
from bitfold.cli.commands.setup import completion, warm_up
from bitfold.cli.commands.sweeps import compare, frontier, sweep
from bitfold.cli.console.examples import EXAMPLES
from bitfold.cli.console.parser import OneLineParser, unknown_command
from bitfold.cli.console.spelling import spell_options
from bitfold.cli.console.terminal import outliving_terminal
from bitfold.errors import BitfoldError, printable
from bitfold.runtime.display.figure_backend import drop_backend
from bitfold.runtime.strangers.current_folder import check_current_folder
from bitfold.runtime.strangers.folder_settings import ignore_folder_settings
from bitfold.runtime.strangers.inherited_variables import drop_wrong_variables

INTERRUPTED = 130
# A disk that is full, a quota that is used up, and a file that may grow no further.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``bitfold`` and return its exit code.

    Args:
        arguments: the command line; by default this process's.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser, commands = _parser()
    if not words:
        parser.print_help()
        return 2
    if not words[0].startswith("-") and words[0] not in commands:
        parser.error(unknown_command(words[0], commands))
    given = parser.parse_args(words)
    given.parser, given.commands = parser, commands
    return run_command(lambda: int(given.command(given)), debug=getattr(given, "debug", False))


def run_command(command: Callable[[], int], *, debug: bool) -> int:
    """Call a command. Report an error of bitfold in one line and by the exit code 2."""
    with outliving_terminal():
        return _run(command, debug=debug)


def _run(command: Callable[[], int], *, debug: bool) -> int:
    drop_backend()
    ignore_folder_settings()
    for line in drop_wrong_variables():
        sys.stderr.write(f"bitfold: {line}\n")
    try:
        check_current_folder()
        code = command()
        if sys.stdout is not None:  # None if it was closed
            sys.stdout.flush()
        return code
    except BitfoldError as error:
        if debug:
            traceback.print_exc()
        sys.stderr.write(f"bitfold: {printable(spell_options(str(error)))}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("bitfold: interrupted.\n")
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return 0
    except OSError as error:
        if error.errno not in _FULL or debug:
            raise
        _drop_output()
        sys.stderr.write(f"bitfold: Cannot write: {error.strerror}. Make room, then try again.\n")
        return 2


def _drop_output() -> None:
    """Let the interpreter not fail once more at its end, when it writes what is left."""
    with suppress(OSError, ValueError):  # a stream of a caller's own has no descriptor
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


class _PrintVersion(argparse.Action):
    """Prints the version. It is looked up only then, which takes longer than the rest of help."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from bitfold.runtime.installed_version import (  # noqa: PLC0415 - see above
            installed_version,
        )

        print(f"bitfold {installed_version('bitfold')}")
        parser.exit()


def _parser() -> tuple[OneLineParser, Mapping[str, OneLineParser]]:
    """Return the parser of the program, and those of its commands by name."""
    parser = OneLineParser(
        prog="bitfold",
        description="See the folds a network learns, and the bits it takes to describe them.",
        examples=EXAMPLES["bitfold"],
    )
    parser.add_argument("--version", action=_PrintVersion)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (
        demo, train, resume, sweep, compare, frontier,
        render, plot, polytopes, audit, compress, picture, info,
        decompress, report, replay, studio, export, warm_up,
        completion,
    ):  # fmt: skip
        command.add_to(commands)
    for name, one in commands.choices.items():
        one.examples = EXAMPLES[name]
    return parser, commands.choices


if __name__ == "__main__":
    sys.exit(main())

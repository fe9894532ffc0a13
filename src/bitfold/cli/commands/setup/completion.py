"""``bitfold completion SHELL``."""

from __future__ import annotations

import argparse
from typing import Any

_FILES = {"FILE", "RUN", "CHECKPOINT", "PNG", "PICTURE", "PATH"}
SHELLS = ("bash", "zsh", "fish")


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "completion",
        help="print a script that completes commands and options in a shell",
        description="Print a script for bash, zsh or fish. Once it lies where the shell looks for "
        "completions, the Tab key completes commands, options and file names.",
    )
    parser.add_argument("shell", metavar="|".join(SHELLS), choices=SHELLS, help="the shell")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the script for the whole program."""
    import shtab  # noqa: PLC0415 - needed by this command alone

    for parser in arguments.commands.values():
        for action in parser._actions:
            _add_words(action, files=shtab.FILE, folders=shtab.DIRECTORY)
    print(shtab.complete(arguments.parser, shell=arguments.shell))
    return 0


def _add_words(action: argparse.Action, *, files: object, folders: object) -> None:
    """Let the value of an option be completed: by its words, by files or by folders."""
    shown = action.metavar if isinstance(action.metavar, str) else ""
    if action.dest == "target" or set(shown.split("|")) & _FILES:
        action.complete = files  # type: ignore[attr-defined] # where shtab looks for it
    elif shown == "DIR":
        action.complete = folders  # type: ignore[attr-defined] # the same
    elif "|" in shown and action.choices is None:
        action.choices = shown.split("|")

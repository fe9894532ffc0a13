"""The parser of each program: errors of one line, the nearest name, examples in the help."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from bitfold.errors import printable
from bitfold.training import hint, nearest_name

_MARGIN = 2  # columns that argparse leaves free


class OneLineParser(argparse.ArgumentParser):
    """A parser that reports an error in one line and exits with code 2.

    Options must be written in full, so that `--lr` is never taken for `--lr-schedule`, and a new
    option never changes the meaning of an old script.

    Args:
        examples: command lines that end the help.
        options: arguments of `argparse.ArgumentParser`.
    """

    def __init__(self, *, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})
        self.formatter_class = argparse.RawDescriptionHelpFormatter
        self.examples = examples

    def error(self, message: str) -> NoReturn:
        """Print one line and exit."""
        end = "" if message.endswith((".", "?")) else "."
        self.exit(2, f"{self.prog}: {printable(message)}{end} Try `{self.prog} --help`.\n")

    def format_help(self) -> str:
        """Return the help, with the examples at its end."""
        width = shutil.get_terminal_size().columns - _MARGIN
        self.description = textwrap.fill(self.description or "", width)
        lines = [f"  {example}" for example in self.examples]
        self.epilog = "\n".join(["examples:", *lines]) if lines else None
        return super().format_help()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse what is left over by naming the nearest option of this command."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            known = [flag for action in self._actions for flag in action.option_strings]
            self.error(_leftover(left[0], known))
        return found, left


def unknown_command(given: str, known: Collection[str]) -> str:
    """Return the error for a command that does not exist, with the nearest one.

    >>> unknown_command("trian", ["train", "render"])
    "Cannot run 'trian': there is no command of that name. Did you mean 'train'?"
    """
    return f"Cannot run {given!r}: there is no command of that name.{hint(given, known)}"


def _leftover(given: str, known: Collection[str]) -> str:
    if not given.startswith("-"):
        return f"Cannot use {given!r}: expected no further argument"
    name = given.partition("=")[0]
    near = nearest_name(name, known)
    question = f" Did you mean {near}?" if near else ""
    return f"Cannot use {name}: there is no option of that name.{question}"

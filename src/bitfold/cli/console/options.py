"""Command line options from the one definition of the settings."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import Any, NoReturn

from bitfold.errors import ConfigError
from bitfold.training import Config, Setting, config_from_mapping, flag, read_toml, settings_of

#: Short forms, as the draw-poly programs' users know them.
SHORT = {
    "shape": "-s",
    "epochs": "-e",
    "points": "-p",
    "batch_size": "-b",
    "learning_rate": "-l",
    "output_dir": "-o",
}


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, with exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit."""
        self.exit(2, f"{self.prog}: {message}. Try `{self.prog} --help`.\n")


def add_settings(
    parser: argparse.ArgumentParser,
    *,
    names: Collection[str] | None = None,
    leave_out: Collection[str] = (),
    defaults: dict[str, Any] | None = None,
) -> None:
    """Add an option for each setting; one that is not given leaves no trace in the result.

    Args:
        parser: gets the options, under a heading for each group.
        names: only these settings; by default all.
        leave_out: not these.
        defaults: what the help calls the default where this program has another.
    """
    groups: dict[str, Any] = {}
    for name, default, one in settings_of(Config):
        if (names is not None and name not in names) or name in leave_out:
            continue
        if one.group not in groups:
            groups[one.group] = parser.add_argument_group(one.group)
        shown = (defaults or {}).get(name, default)
        _add_setting(groups[one.group], name, shown, one)


def _add_setting(group: Any, name: str, default: Any, one: Setting) -> None:
    flags = [flag(name), *([SHORT[name]] if name in SHORT else [])]
    options: dict[str, Any] = {
        "dest": name,
        "default": argparse.SUPPRESS,
        "help": _help(one, default),
    }
    if one.kind == "bool":
        group.add_argument(*flags, action=argparse.BooleanOptionalAction, **options)
        return
    if one.kind == "names":
        options["action"] = "append"
    metavar = "|".join(one.choices) if one.kind in ("str", "names") and one.choices else None
    metavar = metavar or name.rsplit("_", 1)[-1].upper()
    group.add_argument(*flags, metavar=metavar, **options)


def _help(one: Setting, default: Any) -> str:
    text = one.help.replace("%", "%%")
    return text if default in (None, (), "") else f"{text} (default: {default})"


def given_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were given on the command line, read and checked.

    Raises:
        ConfigError: a value is not one, or is out of bounds.
    """
    given = {}
    for name, _, one in settings_of(Config):
        if not hasattr(arguments, name):
            continue
        value = getattr(arguments, name)
        if isinstance(value, str):
            given[name] = one.parse(name, value)
        else:
            given[name] = one.check(name, value)
    return given


def make_config(arguments: argparse.Namespace, **defaults: Any) -> Config:
    """Return the configuration of a command line: flags before ``--config`` before defaults.

    Raises:
        ConfigError: a file or a value is wrong.
    """
    values = dict(defaults)
    path = getattr(arguments, "config", None)
    if path is not None:
        from_file = {name.replace("-", "_"): value for name, value in read_toml(path).items()}
        config_from_mapping({**from_file}, place=str(path))
        values |= from_file
    values |= given_settings(arguments)
    return config_from_mapping(values, place="the command line")


def add_presentation(parser: argparse.ArgumentParser) -> None:
    """Add what changes only what is printed."""
    parser.add_argument("--quiet", "-q", action="store_true", help="print errors only")
    parser.add_argument("--debug", "-d", action="store_true", help="show tracebacks of errors")


def require(condition: bool, message: str) -> None:
    """Refuse a combination of options.

    Raises:
        ConfigError: the condition does not hold.
    """
    if not condition:
        raise ConfigError(message)

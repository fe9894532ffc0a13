"""Command line options, made from the one table of settings."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from bitfold import experiments
from bitfold.errors import ConfigError
from bitfold.training import (
    PLACES,
    Config,
    Setting,
    config_from_mapping,
    flag,
    read_toml,
    settings_of,
)

if TYPE_CHECKING:
    from bitfold.experiments import Goal

#: One-letter flags, the same as in the draw-poly programs.
SHORT = {
    "shape": "-s",
    "epochs": "-e",
    "points": "-p",
    "batch_size": "-b",
    "learning_rate": "-l",
    "output_dir": "-o",
}


#: The settings that a newcomer needs; help lists them first.
BASIC = (
    "size", "shape", "epochs", "minutes", "learning_rate", "seed", "kolmogorov_weight",
    "kolmogorov_quantise", "output_dir", "frame_size", "layout",
)  # fmt: skip
#: The headings of the groups of settings, where a group's name alone says too little.
TITLES = {
    "target": "picture and points",
    "training": "further options of training",
    "audit": "gradient audit",
    "optimiser": "details of the optimiser",
    "kolmogorov": "K and its weight predictor",
    "folds": "measures of folds",
    "folder": "folder and checkpoints",
    "frames": "frames and video",
}


def add_settings(
    parser: argparse.ArgumentParser,
    *,
    names: Collection[str] | None = None,
    leave_out: Collection[str] = (),
    defaults: dict[str, Any] | None = None,
) -> None:
    """Add an option for each setting. An option that is not given is absent from the result.

    Args:
        parser: gets the options: the basic ones first, then a heading for each group of settings.
        names: the settings to add; by default all.
        leave_out: settings that are not added.
        defaults: values that the help shows as defaults, where this program has others.
    """
    groups: dict[str, Any] = {}
    for name, default, one in sorted(settings_of(Config), key=lambda row: _basic_rank(row[0])):
        if (names is not None and name not in names) or name in leave_out:
            continue
        shown = (defaults or {}).get(name, default)
        if name in BASIC:
            _add_setting(parser, name, shown, one)
            continue
        if one.group not in groups:
            groups[one.group] = parser.add_argument_group(TITLES.get(one.group, one.group))
        _add_setting(groups[one.group], name, shown, one)


def _basic_rank(name: str) -> int:
    """The place of a basic setting; settings that are not basic keep their order behind them."""
    return BASIC.index(name) if name in BASIC else len(BASIC)


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
    notes = [] if default in (None, (), "") else [f"default: {default}"]
    if one.unit and one.unit not in text:
        notes.insert(0, f"in {one.unit}")
    return f"{text} ({'; '.join(notes)})" if notes else text


def given_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that the command line gives, parsed and checked.

    Raises:
        ConfigError: a value has the wrong type, or is out of bounds.
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


def add_places(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add the options that name a run's folders outside the run's own."""
    for name in names:
        what = "checkpoints" if name == "checkpoint_dir" else "frames"
        parser.add_argument(
            flag(name), dest=name, metavar="DIR", default=argparse.SUPPRESS,
            help=f"folder of the run's {what}, as the run was trained with it; needed if it lies "
            "outside the run's own folder",
        )  # fmt: skip


def given_places(arguments: argparse.Namespace) -> dict[str, str]:
    """Return what the options of `add_places` give, for `bitfold.load_run`."""
    # Other options of the command may have the name of a setting and other words.
    return {name: str(getattr(arguments, name)) for name in PLACES if hasattr(arguments, name)}


def make_config(arguments: argparse.Namespace, **defaults: Any) -> Config:
    """Return the configuration of a command line.

    Flags win over the file of ``--config``, and the file wins over ``defaults``.

    Raises:
        ConfigError: the file cannot be read, or a value is wrong.
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
    """Add the options that change only what is printed."""
    parser.add_argument("--quiet", "-q", action="store_true", help="print errors only")
    parser.add_argument(
        "--debug", "-d", action="store_true", help="print the traceback of an error"
    )


def add_goal(parser: Any, *, num_bytes: str, psnr: str, error: str) -> None:
    """Add ``--bytes``, ``--psnr`` and ``--error``, of which one may be given.

    Args:
        parser: a parser, or a group of one.
        num_bytes: the help of ``--bytes``.
        psnr: the help of ``--psnr``.
        error: the help of ``--error``.
    """
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument("--bytes", type=int, metavar="N", help=num_bytes)
    goal.add_argument("--psnr", type=float, metavar="DB", help=psnr)
    goal.add_argument("--error", type=float, metavar="X", help=error)


def given_goal(arguments: argparse.Namespace) -> Goal:
    """Return the goal that the command line gives.

    Raises:
        ConfigError: its number is out of bounds.
    """
    return experiments.Goal(arguments.bytes, arguments.psnr, arguments.error)


def require(condition: bool, message: str) -> None:
    """Refuse a combination of options.

    Raises:
        ConfigError: the condition does not hold.
    """
    if not condition:
        raise ConfigError(message)

"""A configuration as TOML, and as names and values from elsewhere."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from bitfold.errors import ConfigError
from bitfold.runtime.strangers.plain_files import read_plain
from bitfold.training.config.configuration import Config
from bitfold.training.config.nearest_name import hint
from bitfold.training.config.setting_group import settings_of

#: Of a configuration; all settings with their longest values take a quarter of it.
MAX_BYTES = 2**16
# More than 32 words with dots between. Possessive, so that the search takes linear time.
_LONG_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}""", re.ASCII
)
_SHOWN_CHARACTERS = 100


def config_from_mapping(values: Mapping[str, Any], *, place: str) -> Config:
    """Build a configuration from names and values.

    Args:
        values: name to value; dashes and underscores in a name are the same.
        place: where the values come from, for errors.

    Raises:
        ConfigError: a name is not that of a setting, or `Config` refuses a value.

    >>> config_from_mapping({"batch-size": 8}, place="here").batch_size
    8
    """
    known = [name for name, _, _ in settings_of(Config)]
    arguments = {}
    for written, value in values.items():
        name = written.replace("-", "_")
        if name not in known:
            shown = written[:_SHOWN_CHARACTERS]
            raise ConfigError(
                f"Cannot read setting {shown!r} in {place}: there is no setting of that name."
                + hint(shown, known)
            )
        arguments[name] = value
    return Config(**arguments)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read the settings in a TOML file that a user names, unchecked.

    Raises:
        ConfigError: the file cannot be read, is too large, or is not TOML.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    return parse_toml(data, str(path))


def parse_toml(data: bytes, place: str) -> dict[str, Any]:
    """Return the settings in TOML, unchecked.

    Args:
        data: the text, which is small: a hostile one costs little.
        place: where it comes from, for errors.

    Raises:
        ConfigError: it is too large, or is not TOML.
    """
    reason = None
    try:
        if len(data) > MAX_BYTES:
            reason = f"more than {MAX_BYTES // 1024} KB"
        elif _LONG_KEY.search(text := data.decode()):
            reason = "a key of many parts"  # tomllib takes time and memory of the parts' square
        else:
            return tomllib.loads(text.replace("\r\n", "\n"))
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:  # not TOML, not UTF-8, or a number of thousands of digits
        reason = f"not TOML: {error}"
    raise ConfigError(f"Cannot read configuration {place}: {reason[:300]}.")


def read_config(path: str | Path) -> Config:
    """Read a configuration from a run's ``config.toml``, a plain file of at most 64 KB.

    Raises:
        ConfigError: the file cannot be read, or `Config` refuses a setting in it.
    """
    try:
        data = read_plain(Path(path), MAX_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from None
    return config_from_mapping(parse_toml(data, str(path)), place=str(path))


def _unreadable(path: str | Path, error: OSError | ValueError) -> ConfigError:
    reason = getattr(error, "strerror", None) or error
    return ConfigError(f"Cannot read configuration {path}: {reason}.")


def config_of_text(text: str, *, place: str) -> Config:
    """Return the configuration that `config_toml` wrote, from a file that may be a stranger's.

    Raises:
        ConfigError: it is too large or not TOML, or `Config` refuses a setting in it.
    """
    return config_from_mapping(parse_toml(text.encode(), place), place=place)


def config_toml(config: Config) -> str:
    """Return a configuration as TOML; settings that are None are left out.

    >>> print(config_toml(Config(target="disk")).splitlines()[0])
    target = "disk"
    """
    return tomli_w.dumps(settings_mapping(config))


def settings_mapping(config: Config) -> dict[str, Any]:
    """Return the settings that are not None by name, as TOML and JSON hold them."""
    values = {name: getattr(config, name) for name, _, _ in settings_of(Config)}
    kept = {name: value for name, value in values.items() if value is not None}
    return {n: list(v) if isinstance(v, tuple) else v for n, v in kept.items()}

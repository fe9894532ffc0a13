"""A configuration as TOML, and as names and values from elsewhere."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from bitfold.errors import ConfigError
from bitfold.training.config.configuration import Config
from bitfold.training.config.nearest_name import hint
from bitfold.training.config.setting_group import settings_of


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
            raise ConfigError(
                f"Cannot read setting {written!r} in {place}: there is no setting of that name."
                + hint(name, known)
            )
        arguments[name] = value
    return Config(**arguments)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read the settings in a TOML file, unchecked.

    Raises:
        ConfigError: the file cannot be read, or is not TOML.
    """
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"Cannot read configuration {path}: {error.strerror}.") from None
    except ValueError as error:  # not TOML, not UTF-8, or a number of thousands of digits
        raise ConfigError(f"Cannot read configuration {path}: not TOML: {error}.") from None


def read_config(path: str | Path) -> Config:
    """Read a configuration from a TOML file, such as a run's ``config.toml``.

    Raises:
        ConfigError: the file cannot be read, or `Config` refuses a setting in it.
    """
    return config_from_mapping(read_toml(path), place=str(path))


def config_toml(config: Config) -> str:
    """Return a configuration as TOML; settings that are None are left out.

    >>> print(config_toml(Config(target="disk")).splitlines()[0])
    target = "disk"
    """
    values = dataclasses.asdict(config)
    kept = {name: value for name, value in values.items() if value is not None}
    return tomli_w.dumps({n: list(v) if isinstance(v, tuple) else v for n, v in kept.items()})

"""The rows of a configuration: a dataclass field that carries its `Setting`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bitfold.training.config.setting import Kind, Resume, Setting


@dataclass(frozen=True)
class SettingGroup:
    """Declares the settings of a configuration class that share a heading and a rule.

    Args:
        name: the heading of the command line's help.
        resume: when a continued run may change a setting of the group.

    >>> @dataclass(frozen=True)
    ... class Small:
    ...     epochs: int = SettingGroup("training").whole(10, "passes over the points", (1, 99))
    >>> [(name, default, one.help) for name, default, one in settings_of(Small)]
    [('epochs', 10, 'passes over the points')]
    """

    name: str
    resume: Resume = "always"

    def whole(
        self,
        default: Any,
        help: str,  # noqa: A002 - as argparse
        bounds: tuple[float, float],
        choices: tuple[str, ...] = (),
        *,
        unit: str = "",
    ) -> Any:
        """Declare a field that is a whole number within bounds, or one of a few words."""
        return self._field("int", default, help, bounds, choices=choices, unit=unit)

    def real(
        self,
        default: Any,
        help: str,  # noqa: A002 - as argparse
        bounds: tuple[float, float] = (0.0, math.inf),
        *,
        positive: bool = False,
        choices: tuple[str, ...] = (),
        counted: str = "",
        unit: str = "",
    ) -> Any:
        """Declare a field that is a number within bounds, or one of a few words.

        ``positive`` refuses the lower bound itself.
        """
        rules = {"exclusive": positive, "choices": choices, "counted": counted, "unit": unit}
        return self._field("float", default, help, bounds, **rules)

    def word(
        self,
        default: str | None,
        help: str,  # noqa: A002 - as argparse
        *,
        choices: tuple[str, ...] = (),
        unit: str = "",
    ) -> Any:
        """Declare a field that is a text, or one of a few words."""
        return self._field("str", default, help, choices=choices, unit=unit)

    def words(self, default: tuple[str, ...], help: str, *, choices: tuple[str, ...]) -> Any:  # noqa: A002 - as argparse
        """Declare a field that is a tuple of words from ``choices``."""
        return self._field("names", default, help, choices=choices)

    def switch(self, default: bool, help: str) -> Any:  # noqa: A002 - as argparse
        """Declare a field that is true or false."""
        return self._field("bool", default, help)

    def _field(
        self,
        kind: Kind,
        default: Any,
        help: str,  # noqa: A002 - as argparse
        bounds: tuple[float, float] = (-math.inf, math.inf),
        **rules: Any,
    ) -> Any:
        setting = Setting(
            kind,
            help,
            self.name,
            minimum=bounds[0],
            maximum=bounds[1],
            optional=default is None,
            resume=self.resume,
            **rules,
        )
        return dataclasses.field(default=default, metadata={"setting": setting})


def settings_of(configuration: type) -> Iterator[tuple[str, Any, Setting]]:
    """Yield (name, default, setting) for each field of a configuration class, in order."""
    for field in dataclasses.fields(configuration):
        yield field.name, field.default, field.metadata["setting"]


def flag(name: str) -> str:
    """Return the option of the command line that gives a setting.

    >>> flag("batch_size")
    '--batch-size'
    """
    return "--" + name.replace("_", "-")

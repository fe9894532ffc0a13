"""What a setting of a run is: its default, help and bounds, in one place for every reader."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

from bitfold.errors import ConfigError

_LONGEST = 200  # characters of a wrong value that an error repeats
_LONGEST_COUNT = 16  # digits, far beyond the bits of any network
Kind = Literal["int", "float", "str", "bool", "names"]


@dataclass(frozen=True)
class Setting:
    """One setting: how it is read, checked and explained.

    Source: none, ours.

    Args:
        kind: the type of its value; ``names`` is a tuple of words out of ``choices``.
        help: one sentence for the command line and the docs.
        group: the heading it stands under.
        choices: the words it may be; for a number, words it may be beside numbers.
        minimum: the least value; ``exclusive`` leaves that value itself out.
        maximum: the largest value.
        exclusive: whether ``minimum`` itself is refused.
        optional: whether ``None``, which means "chosen by bitfold" or "off", is a value.
        counted: a word such as ``bits`` that may stand, with a count of at least 1, for a number:
            ``bits:2000``.
    """

    kind: Kind
    help: str
    group: str
    choices: tuple[str, ...] = ()
    minimum: float = -math.inf
    maximum: float = math.inf
    exclusive: bool = False
    optional: bool = False
    counted: str = ""

    def parse(self, name: str, text: str) -> Any:
        """Read a value as it is written on a command line.

        Raises:
            ConfigError: the text is not a value of this kind, or is out of bounds.
        """
        value: Any = text
        if self.kind in ("int", "float") and not self._is_word(text):
            value = self._number(name, text)
        elif self.kind == "names":
            value = (text,)
        return self.check(name, value)

    def check(self, name: str, value: Any) -> Any:
        """Return ``value`` in its exact type, or say what is wrong with it.

        Raises:
            ConfigError: the value has another type, or is out of bounds.
        """
        if value is None and self.optional:
            return None
        if self.kind == "names":
            words = tuple(value) if isinstance(value, list | tuple) else (value,)
            return tuple(self._check_word(name, word) for word in words)
        if self.kind == "bool":
            if not isinstance(value, bool):
                raise _wrong(name, "true or false", value)
            return value
        if self.kind == "str" or value in self.choices:
            return self._check_word(name, value)
        if self._is_word(value):
            return self._check_count(name, value)
        return self._check_number(name, value)

    def _is_word(self, value: Any) -> bool:
        is_counted = isinstance(value, str) and value.partition(":")[0] == self.counted != ""
        return is_counted or value in self.choices

    def _number(self, name: str, text: str) -> int | float:
        try:
            return int(text) if self.kind == "int" else float(text)
        except ValueError:
            noun = "a whole number" if self.kind == "int" else "a number"
            raise _wrong(name, noun + self._words(), text) from None

    def _words(self) -> str:
        known = [*self.choices, *([f"{self.counted}:N"] if self.counted else [])]
        return "".join(f" or {word!r}" for word in known)

    def _check_count(self, name: str, value: str) -> str:
        count = value.partition(":")[2]
        if not (count.isascii() and count.isdecimal() and len(count) < _LONGEST_COUNT):
            raise _wrong(name, f"a whole number after {self.counted}:", value)
        if int(count) < 1:
            raise _wrong(name, f"at least 1 after {self.counted}:", value)
        return f"{self.counted}:{int(count)}"

    def _check_word(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise _wrong(name, "a text", value)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _wrong(name, "a text in UTF-8", value) from None
        if self.choices and value not in self.choices:
            raise _wrong(name, f"one of {', '.join(self.choices)}", value)
        return value

    def _check_number(self, name: str, value: Any) -> int | float:
        words = self._words()
        if isinstance(value, bool) or not isinstance(value, Real):
            raise _wrong(name, f"a number{words}", value)
        number = int(value) if isinstance(value, Integral) else float(value)
        if not (isinstance(number, int) or math.isfinite(number)):
            raise _wrong(name, "a finite number", value)
        if self.kind == "int" and number != int(number):
            raise _wrong(name, f"a whole number{words}", value)
        too_small = number <= self.minimum if self.exclusive else number < self.minimum
        if too_small:
            bound = "more than" if self.exclusive else "at least"
            raise _wrong(name, f"a number of {bound} {self.minimum:g}", value)
        if number > self.maximum:
            raise _wrong(name, f"a number of at most {self.maximum:g}", value)
        return int(number) if self.kind == "int" else _as_float(name, number)


def whole(
    default: Any,
    group: str,
    help: str,  # noqa: A002 - as argparse
    bounds: tuple[float, float],
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a field that is a whole number within bounds, or one of a few words."""
    return _field(default, Setting("int", help, group, choices, *bounds))


def real(
    default: Any,
    group: str,
    help: str,  # noqa: A002 - as argparse
    bounds: tuple[float, float] = (0.0, math.inf),
    *,
    positive: bool = False,
    choices: tuple[str, ...] = (),
    counted: str = "",
) -> Any:
    """Declare a field that is a number within bounds, or one of a few words.

    ``positive`` leaves the lower bound itself out.
    """
    one = Setting("float", help, group, choices, *bounds, exclusive=positive, counted=counted)
    return _field(default, one)


def word(
    default: str | None,
    group: str,
    help: str,  # noqa: A002 - as argparse
    *,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a field that is a text, or one of a few words."""
    return _field(default, Setting("str", help, group, choices))


def words(default: tuple[str, ...], group: str, help: str, *, choices: tuple[str, ...]) -> Any:  # noqa: A002 - as argparse
    """Declare a field that is several of a few words."""
    return _field(default, Setting("names", help, group, choices))


def switch(default: bool, group: str, help: str) -> Any:  # noqa: A002 - as argparse
    """Declare a field that is true or false."""
    return _field(default, Setting("bool", help, group))


def settings_of(configuration: type) -> Iterator[tuple[str, Any, Setting]]:
    """Yield (name, default, setting) for each field of a configuration class, in order."""
    for field in dataclasses.fields(configuration):
        yield field.name, field.default, field.metadata["setting"]


def flag(name: str) -> str:
    """Return how a setting is written on the command line.

    >>> flag("batch_size")
    '--batch-size'
    """
    return "--" + name.replace("_", "-")


def closest(name: str, known: Sequence[str]) -> str:
    """Return a hint naming the nearest known name, or nothing."""
    import difflib  # noqa: PLC0415 - only needed for an error

    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _field(default: Any, one: Setting) -> Any:
    optional = dataclasses.replace(one, optional=default is None)
    return dataclasses.field(default=default, metadata={"setting": optional})


def _as_float(name: str, number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        raise _wrong(name, "a finite number", number) from None


def _wrong(name: str, expected: str, got: Any) -> ConfigError:
    text = repr(got)
    shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return ConfigError(f"Cannot use {flag(name)}: expected {expected}, got {shown}.")

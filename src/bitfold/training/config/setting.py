"""One setting of a run: how its value is read, checked and explained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike, fspath
from typing import Any, Literal

from bitfold.errors import ConfigError
from bitfold.runtime.strangers.bounded_json import shortened

_MAX_CHARACTERS = 4096  # of a text: the longest path
_MAX_COUNT_DIGITS = 15  # far beyond the bits of any network
Kind = Literal["int", "float", "str", "bool", "names"]
#: When a continued run may change a setting: always, only if the run had no weight predictor, or
#: never, because it would be another run.
Resume = Literal["always", "without_predictor", "never"]


@dataclass(frozen=True)
class Setting:
    """Everything that is known of one setting but its name and its default.

    Args:
        kind: the type of its value; ``names`` is a tuple of words from ``choices``.
        help: one sentence for the command line and the docs.
        group: the heading of the command line's help that lists the setting.
        choices: the allowed words; for a number, words that are allowed besides numbers.
        minimum: the least allowed value.
        maximum: the largest allowed value.
        exclusive: whether ``minimum`` itself is refused.
        optional: whether ``None`` is allowed; it means "chosen by bitfold" or "off".
        counted: a word such as ``bits`` that allows ``bits:N``, with N at least 1, besides numbers.
        resume: when a continued run may change the setting.
        unit: the unit of a number, in the plural; empty for numbers without one, and for words.
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
    resume: Resume = "always"
    unit: str = ""

    def parse(self, name: str, text: str) -> Any:
        """Read a value from the text of a command line.

        Raises:
            ConfigError: the text is not a value of this kind, or the value is out of bounds.
        """
        value: Any = text
        if self.kind in ("int", "float") and not self._is_word(text):
            value = self._number(name, text)
        elif self.kind == "names":
            value = (text,)
        return self.check(name, value)

    def check(self, name: str, value: Any) -> Any:
        """Return ``value`` in the exact type of this setting.

        Args:
            name: the setting's name, for errors.
            value: the value to check; numbers may come as NumPy's, texts as paths.

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
            raise _wrong(name, noun + self._or_words(), text) from None

    def _or_words(self) -> str:
        allowed = [*self.choices, *([f"{self.counted}:N"] if self.counted else [])]
        return "".join(f" or {word!r}" for word in allowed)

    def _check_count(self, name: str, value: str) -> str:
        count = value.partition(":")[2]
        if not (count.isascii() and count.isdecimal() and len(count) <= _MAX_COUNT_DIGITS):
            raise _wrong(name, f"a whole number after {self.counted}:", value)
        if int(count) < 1:
            raise _wrong(name, f"at least 1 after {self.counted}:", value)
        return f"{self.counted}:{int(count)}"

    def _check_word(self, name: str, value: Any) -> str:
        if isinstance(value, PathLike) and not self.choices:
            value = fspath(value)
        if not isinstance(value, str):
            raise _wrong(name, "a text", value)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _wrong(name, "a text in UTF-8", value) from None
        if len(value) > _MAX_CHARACTERS or "\0" in value:
            raise _wrong(
                name, f"a text without NUL, of at most {_MAX_CHARACTERS:,} characters", value
            )
        if self.choices and value not in self.choices:
            raise _wrong(name, f"one of {', '.join(self.choices)}", value)
        return value

    def _check_number(self, name: str, value: Any) -> int | float:
        or_words = self._or_words()
        if isinstance(value, bool) or not isinstance(value, Real):
            raise _wrong(name, f"a number{or_words}", value)
        number = int(value) if isinstance(value, Integral) else float(value)
        if not (isinstance(number, int) or math.isfinite(number)):
            raise _wrong(name, "a finite number", value)
        if self.kind == "int" and number != int(number):
            raise _wrong(name, f"a whole number{or_words}", value)
        too_small = number <= self.minimum if self.exclusive else number < self.minimum
        if too_small:
            bound = "more than" if self.exclusive else "at least"
            raise _wrong(name, f"a number of {bound} {self.minimum:g}", value)
        if number > self.maximum:
            raise _wrong(name, f"a number of at most {self.maximum:g}", value)
        return int(number) if self.kind == "int" else _as_float(name, number)


def _as_float(name: str, number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        raise _wrong(name, "a finite number", number) from None


def _wrong(name: str, expected: str, got: Any) -> ConfigError:
    return ConfigError(f"Cannot use `{name}`: expected {expected}, got {shortened(got)}.")

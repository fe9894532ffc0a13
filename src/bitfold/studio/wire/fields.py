"""Kinds of values that the fields of a command take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from bitfold.runtime.strangers.bounded_json import is_number, shortened


class Field(ABC):
    """One field of a command.

    Args:
        is_optional: whether the field may be missing or null.
    """

    is_optional: bool

    @abstractmethod
    def problem(self, value: Any) -> str | None:
        """Return what is wrong with a value, as ``expected ..., got ...``; None if it is right."""


@dataclass(frozen=True)
class Text(Field):
    """A text of at most ``most`` characters."""

    most: int
    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """See `Field`."""
        if isinstance(value, str) and len(value) <= self.most:
            return None
        return f"expected at most {self.most} characters, got {shortened(value)}"


@dataclass(frozen=True)
class Choice(Field):
    """One of some words."""

    words: tuple[str, ...]
    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """See `Field`."""
        if isinstance(value, str) and value in self.words:
            return None
        return f"expected one of {', '.join(self.words)}, got {shortened(value)}"


@dataclass(frozen=True)
class Whole(Field):
    """A whole number between two bounds."""

    least: int
    most: int
    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """See `Field`."""
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if is_whole and self.least <= value <= self.most:
            return None
        return f"expected a whole number from {self.least} to {self.most:,}, got {shortened(value)}"


@dataclass(frozen=True)
class Real(Field):
    """A number between two bounds."""

    least: float
    most: float
    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """See `Field`."""
        if is_number(value) and self.least <= value <= self.most:
            return None
        return f"expected a number from {self.least:g} to {self.most:g}, got {shortened(value)}"


@dataclass(frozen=True)
class Switch(Field):
    """True or false."""

    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """See `Field`."""
        return (
            None if isinstance(value, bool) else f"expected true or false, got {shortened(value)}"
        )


@dataclass(frozen=True)
class Settings(Field):
    """Names of settings with new values; their own rows in `bitfold.Config` check them."""

    most: int
    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """See `Field`."""
        if not isinstance(value, dict) or len(value) > self.most:
            return f"expected an object of at most {self.most} settings, got {shortened(value)}"
        for name, item in value.items():
            if not isinstance(item, str | int | float | bool | None):
                return f"expected a text, a number or a switch as {name}, got {shortened(item)}"
            if isinstance(item, str) and len(item) > 4096:
                return f"expected at most 4096 characters as {name}, got {len(item)}"
        return None


@dataclass(frozen=True)
class Points(Field):
    """A path of at most ``most`` points [x, y], in coordinates of the picture."""

    most: int
    is_optional: bool = False

    def problem(self, value: Any) -> str | None:
        """See `Field`."""
        if not isinstance(value, list) or not 1 <= len(value) <= self.most:
            return f"expected 1 to {self.most} points, got {shortened(value)}"
        for number, point in enumerate(value, 1):
            is_pair = isinstance(point, list) and len(point) == 2
            if not (is_pair and all(is_number(c) and abs(c) <= 16 for c in point)):
                return f"expected two numbers from -16 to 16 as point {number}, got another value"
        return None

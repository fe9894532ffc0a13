"""A setting accepts its values, and refuses others in one line."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from bitfold.errors import ConfigError
from bitfold.training import Setting

WHOLE = Setting("int", "", "", ("all",), 1, 9)
POSITIVE = Setting("float", "", "", (), 0, 10, exclusive=True)
WORD = Setting("str", "", "", ("a", "b"))
NAMES = Setting("names", "", "", ("a", "b"))


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [
        (WHOLE, 1, 1),
        (WHOLE, 9.0, 9),
        (WHOLE, np.int64(3), 3),
        (WHOLE, "all", "all"),
        (POSITIVE, 10, 10.0),
        (POSITIVE, np.float32(0.5), 0.5),
        (WORD, "b", "b"),
        (NAMES, ["a", "b"], ("a", "b")),
        (NAMES, "a", ("a",)),
        (Setting("bool", "", ""), False, False),
        (dataclasses.replace(WHOLE, optional=True), None, None),
    ],
)
def test_a_good_value_comes_back_in_its_exact_type(
    setting: Setting, value: Any, wanted: Any
) -> None:
    """Whole floats, NumPy numbers and lists are converted to the setting's exact type."""
    found = setting.check("name", value)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        (WHOLE, 0, "a number of at least 1"),
        (WHOLE, 10, "a number of at most 9"),
        (WHOLE, 1.5, "a whole number or 'all'"),
        (WHOLE, 10**400, "a number of at most 9"),
        (WHOLE, True, "a number or 'all'"),
        (WHOLE, "some", "a number or 'all'"),
        (WHOLE, None, "a number"),
        (WHOLE, float("nan"), "a finite number"),
        (POSITIVE, 0, "a number of more than 0"),
        (POSITIVE, float("inf"), "a finite number"),
        (Setting("float", "", ""), 10**400, "a finite number"),
        (WORD, "c", "one of a, b"),
        (WORD, 1, "a text"),
        (Setting("str", "", ""), "\udcff", "a text in UTF-8"),
        (NAMES, ("a", "c"), "one of a, b"),
        (Setting("bool", "", ""), 1, "true or false"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_value_is_refused_in_one_line(setting: Setting, value: Any, expected: str) -> None:
    """The line names Python's argument and the expected value."""
    with pytest.raises(ConfigError, match=f"Cannot use `a_name`: expected {expected}") as caught:
        setting.check("a_name", value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("setting", "text", "wanted"),
    [(WHOLE, "7", 7), (WHOLE, "all", "all"), (POSITIVE, "1e-3", 0.001), (NAMES, "b", ("b",))],
)
def test_a_command_lines_text_is_read(setting: Setting, text: str, wanted: Any) -> None:
    """Numbers are parsed from a command line's text, and words are kept."""
    assert setting.parse("name", text) == wanted


@pytest.mark.parametrize("text", ["", "x", "1.5", "9" * 5000, "0x1"])
def test_a_text_that_is_no_number_is_refused(text: str) -> None:
    """A text that is no number raises a configuration error."""
    with pytest.raises(ConfigError):
        WHOLE.parse("name", text)

"""Commands of pages, whose fields are checked before any action."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bitfold.errors import WireError
from bitfold.studio.wire.commands import COMMANDS, MAX_BYTES, read_command

LOOK = {
    "kind": "look", "run": "ring", "view": 0, "x": 0, "y": 0.25, "half": 0.5, "aspect": 1,
    "faces": "value",
}  # fmt: skip


def test_optional_fields_are_none_if_they_are_missing() -> None:
    """A missing optional field is None, and given fields keep their values."""
    found = read_command(json.dumps(LOOK))
    assert found.kind == "look"
    assert (found["y"], found["time"], found["epoch"]) == (0.25, None, None)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "fly"}, "expected a known kind, got 'fly'"),
        ({"kind": 3}, "expected a known kind, got 3"),
        ({"speed": 1}, "it has no field 'speed'"),
        ({"run": None}, "field run: expected at most 200 characters, got None"),
        ({"run": "x" * 201}, "field run: expected at most 200 characters"),
        ({"view": 4}, "field view: expected a whole number from 0 to 3, got 4"),
        ({"view": True}, "field view: expected a whole number from 0 to 3, got True"),
        ({"view": 0.5}, "field view: expected a whole number from 0 to 3, got 0.5"),
        ({"half": 0}, "field half: expected a number from 1e-13 to 16, got 0"),
        ({"x": 1e7}, "field x: expected a number from -1e\\+06 to 1e\\+06"),
        ({"x": [[[]]]}, "field x: expected a number .* got a list"),
        ({"faces": "gold"}, "field faces: expected one of value, area"),
        ({"epoch": 10**400}, "field epoch: expected a whole number .* got a longer integer"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], problem: str) -> None:
    """The error for a wrong field is one line with the expected and the given value."""
    with pytest.raises(WireError, match=problem) as error:
        read_command(json.dumps({**LOOK, **change}))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"kind": NaN}', "[" * 100_000])
def test_other_texts_are_refused(text: str) -> None:
    """Text that is no JSON object is refused."""
    with pytest.raises(WireError, match="Cannot read a command"):
        read_command(text)


def test_a_command_that_is_too_long_is_refused_unread() -> None:
    """A command that is too long is refused unread, with its length."""
    with pytest.raises(WireError, match="at most 65,536 characters, got 65,537"):
        read_command("[" * (MAX_BYTES + 1))


def test_points_of_a_stroke_are_pairs_of_bounded_numbers() -> None:
    """The error names the first point of a stroke that is not a pair of bounded numbers."""
    stroke: dict[str, Any] = {
        "kind": "paint", "run": "ring", "tool": "brush", "radius": 0.1, "colour": "#ffffff",
        "points": [[0, 0], [0.1, "left"]],
    }  # fmt: skip
    with pytest.raises(WireError, match="two numbers from -16 to 16 as point 2"):
        read_command(json.dumps(stroke))
    stroke["points"] = [[0, 0]] * 1025
    with pytest.raises(WireError, match="expected 1 to 1024 points"):
        read_command(json.dumps(stroke))


def test_every_other_command_names_a_run_or_a_view() -> None:
    """Every command but ``hello``, ``new`` and ``cancel`` names a run or a view."""
    for kind, fields in COMMANDS.items():
        assert kind in {"hello", "new", "cancel"} or {"run", "view"} & set(fields), kind

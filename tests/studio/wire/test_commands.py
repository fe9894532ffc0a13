"""Commands of pages: fields are checked before anything is done."""

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
    """Others keep their values."""
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
    """With what was expected and what was got, in one line."""
    with pytest.raises(WireError, match=problem) as error:
        read_command(json.dumps({**LOOK, **change}))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"kind": NaN}', "[" * 100_000])
def test_other_texts_are_refused(text: str) -> None:
    """JSON that is no object, or no JSON at all."""
    with pytest.raises(WireError, match="Cannot read a command"):
        read_command(text)


def test_a_command_that_is_too_long_is_refused_unread() -> None:
    """Its length is told."""
    with pytest.raises(WireError, match="at most 262,144 characters, got 262,145"):
        read_command("[" * (MAX_BYTES + 1))


def test_points_of_a_stroke_are_pairs_of_bounded_numbers() -> None:
    """The first wrong one is named."""
    stroke: dict[str, Any] = {
        "kind": "paint", "run": "ring", "tool": "brush", "radius": 0.1, "colour": "#ffffff",
        "points": [[0, 0], [0.1, "left"]],
    }  # fmt: skip
    with pytest.raises(WireError, match="two numbers from -16 to 16 as point 2"):
        read_command(json.dumps(stroke))
    stroke["points"] = [[0, 0]] * 4097
    with pytest.raises(WireError, match="expected 1 to 4096 points"):
        read_command(json.dumps(stroke))


def test_every_other_command_names_a_run_or_a_view() -> None:
    """The server must know whom it is for; files are cancelled for the page that asked."""
    for kind, fields in COMMANDS.items():
        assert kind in {"hello", "new", "cancel"} or {"run", "view"} & set(fields), kind

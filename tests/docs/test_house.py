"""The drawing of the packages on the contributors' page."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def house() -> ModuleType:
    """Import the script that draws the packages."""
    path = ROOT / "docs" / "_ext" / "house.py"
    spec = importlib.util.spec_from_file_location("house", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_package_is_drawn_and_described(house: ModuleType) -> None:
    """The page draws and describes every package, also a new one."""
    rooms = house.package_imports(house.PACKAGE)
    assert {"runtime", "kolmogorov", "polytopes", "cli"} <= rooms.keys()
    drawing = house.draw_house(rooms)
    page = (ROOT / "docs" / "house.md").read_text(encoding="utf-8")
    for room in rooms:
        assert f">{room}</text>" in drawing
        assert f"\n`{room}`\n: " in page, f"docs/house.md does not describe {room}"


def test_floors_lie_above_what_they_import(house: ModuleType) -> None:
    """Imports lead downwards, and an arrow that follows from others is not drawn."""
    imports = {"a": {"b", "c"}, "b": {"c"}, "c": set[str]()}
    assert house.floors_of(imports) == {"c": 0, "b": 1, "a": 2}
    assert house.direct_imports(imports) == {"a": {"b"}, "b": {"c"}, "c": set()}


def test_a_circle_is_refused(house: ModuleType) -> None:
    """Packages that import each other are refused, since neither can stand above the other."""
    with pytest.raises(ValueError, match=r"\['a', 'b'\] import each other"):
        house.floors_of({"a": {"b"}, "b": {"a"}, "c": set()})

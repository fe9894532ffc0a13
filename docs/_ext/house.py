"""Draws the packages of bitfold and their imports, from the source, as an SVG.

``python docs/_ext/house.py > house.svg`` prints the drawing; Sphinx takes it by the directive
``house-drawing``.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "bitfold"
ROOM_WIDTH, ROOM_HEIGHT, GAP, FLOOR_GAP = 128, 40, 20, 56


def package_imports(package: Path) -> dict[str, set[str]]:
    """The packages that each package imports, imports for types included.

    Args:
        package: the folder of bitfold's source.

    Returns:
        By name; single modules such as ``errors`` count as packages, programs do not.
    """
    rooms = {path.stem for path in package.iterdir() if path.is_dir() or path.suffix == ".py"}
    rooms -= {"__init__", "__main__", "__pycache__", "py"}
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        if room in rooms:
            found[room] |= (_imported(path) & rooms) - {room}
    return found


def _imported(path: Path) -> set[str]:
    """First parts below ``bitfold`` of all that a file imports."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "bitfold" and len(part) > 1}


def floors_of(imports: Mapping[str, set[str]]) -> dict[str, int]:
    """The floor of each package: one above the highest package that it imports.

    Raises:
        ValueError: packages import each other in a circle.
    """
    floors: dict[str, int] = {}
    while len(floors) < len(imports):
        ready = [room for room in imports if room not in floors and imports[room] <= floors.keys()]
        if not ready:
            circle = sorted(imports.keys() - floors.keys())
            raise ValueError(f"Cannot draw the house: {circle} import each other.")
        for room in ready:
            floors[room] = 1 + max((floors[other] for other in imports[room]), default=-1)
    return floors


def direct_imports(imports: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The imports that do not follow from others: without those of imported packages."""
    below: dict[str, set[str]] = {}
    for room in sorted(imports, key=lambda name: floors_of(imports)[name]):
        below[room] = imports[room].union(*(below[other] for other in imports[room]))
    return {
        room: {
            other
            for other in imports[room]
            if not any(other in below[third] for third in imports[room] - {other})
        }
        for room in imports
    }


def draw_house(imports: Mapping[str, set[str]]) -> str:
    """The drawing as SVG; colours follow the page's own text colour."""
    floors = floors_of(imports)
    height = max(floors.values()) + 1
    rows = [sorted(room for room in floors if floors[room] == floor) for floor in range(height)]
    width = max(len(row) for row in rows) * (ROOM_WIDTH + GAP) + GAP
    total = height * (ROOM_HEIGHT + FLOOR_GAP) - FLOOR_GAP + 2 * GAP
    places = {
        room: (
            (width - len(row) * (ROOM_WIDTH + GAP) + GAP) / 2 + number * (ROOM_WIDTH + GAP),
            total - GAP - ROOM_HEIGHT - floor * (ROOM_HEIGHT + FLOOR_GAP),
        )
        for floor, row in enumerate(rows)
        for number, room in enumerate(row)
    }
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total:.0f}" role="img" '
        'aria-label="Packages of bitfold and their imports" font-family="monospace" font-size="13" '
        'fill="currentColor" stroke="currentColor">'
    ]
    for room, others in direct_imports(imports).items():
        lines += [_arrow(places[room], places[other]) for other in sorted(others)]
    lines += [_room(room, *place) for room, place in sorted(places.items())]
    return "\n".join([*lines, "</svg>"])


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    x0, y0 = start[0] + ROOM_WIDTH / 2, start[1] + ROOM_HEIGHT
    x1, y1 = end[0] + ROOM_WIDTH / 2, end[1]
    middle = (y1 - y0) / 2
    return (
        f'<path d="M{x0:.0f} {y0:.0f}C{x0:.0f} {y0 + middle:.0f} {x1:.0f} {y1 - middle:.0f} '
        f'{x1:.0f} {y1 - 6:.0f}" fill="none" opacity="0.45"/>'
        f'<path d="M{x1 - 4:.0f} {y1 - 7:.0f}h8l-4 7z" stroke="none" opacity="0.6"/>'
    )


def _room(name: str, x: float, y: float) -> str:
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{ROOM_WIDTH}" height="{ROOM_HEIGHT}" rx="6" '
        'fill="var(--color-background-primary, white)"/>'
        f'<text x="{x + ROOM_WIDTH / 2:.0f}" y="{y + 25:.0f}" text-anchor="middle" '
        f'stroke="none">{name}</text>'
    )


def setup(app: Any) -> dict[str, bool]:
    """Add the directive ``house-drawing`` to Sphinx."""
    from docutils import nodes  # noqa: PLC0415 - only Sphinx needs it
    from docutils.parsers.rst import Directive  # noqa: PLC0415

    class HouseDrawing(Directive):  # type: ignore[misc] # docutils has no types
        def run(self) -> list[Any]:
            return [nodes.raw("", draw_house(package_imports(PACKAGE)), format="html")]

    app.add_directive("house-drawing", HouseDrawing)
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    print(draw_house(package_imports(PACKAGE)))

"""Write the page that shows drawings and photographs beside other formats.

``python -m benchmarks.pictures.formats_page`` reads ``docs/results/pictures.json``, writes
``docs/picture-formats.md``, and draws its two figures. Cells not measured yet are left out;
the page is for the documentation once all drawings at 300 bytes are there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.harness.cells import Cell, CellTable
from benchmarks.harness.folders import DOCS
from benchmarks.harness.pages import replace_block
from benchmarks.pictures import formats
from benchmarks.pictures.rivals import best_within, rivals
from benchmarks.pictures.samples import DRAWINGS, PHOTOGRAPHS, SIDE, drawing, photograph
from benchmarks.pictures.searches import drawn

PAGE: Final = DOCS / "picture-formats.md"
#: The page without its tables.
TEMPLATE: Final = Path(__file__).with_suffix(".md")
FIGURES: Final = DOCS / "figures"
_TILE, _CAPTION, _GAP = 160, 16, 6
_NONE = "none"
_PHOTOGRAPHS_FIGURE: Final = (
    "![Each row: a photograph, bitfold, and the two best rivals](figures/formats-photographs.png)"
)
#: The compared measures, and their names in a table.
MEASURES: Final = {
    "psnr_db": "PSNR", "ssim": "SSIM", "large_psnr_db": "PSNR at 8 times",
    "large_ssim": "SSIM at 8 times",
}  # fmt: skip
Row = dict[str, Cell]


def rows_of(
    table: CellTable, pictures: Sequence[str], side: int, num_bytes: int, methods: Sequence[str]
) -> dict[str, Row]:
    """Return the cells of each picture whose methods are all measured, bitfold first."""
    found = {}
    for picture in pictures:
        names = {
            one: formats.cell_name(picture, side, num_bytes, one)
            for one in (formats.OURS, *methods)
        }
        cells = {method: table.get(name) for method, name in names.items()}
        whole = {method: cell for method, cell in cells.items() if cell is not None}
        if len(whole) == len(cells):
            found[picture] = whole
    return found


def best_method(row: Row, measure: str) -> str | None:
    """Return the method that is best by a measure; None if two are equally good."""
    values = {one: cell[measure] for one, cell in row.items() if cell["num_bytes"] is not None}
    most = max(values.values())
    best = [method for method, value in values.items() if value == most]
    return best[0] if len(best) == 1 else None


def markdown(rows: dict[str, Row], measures: Sequence[str], digits: Sequence[int]) -> str:
    """Return a table with a line for each picture, and the best by the first measure in bold."""
    methods = list(next(iter(rows.values())))
    lines = [
        f"| picture | {' | '.join(methods)} |",
        f"| --- |{' ---: |' * len(methods)}",
    ]
    for picture, row in rows.items():
        best = best_method(row, measures[0])
        cells = [_shown(row[one], measures, digits, is_best=one == best) for one in methods]
        lines.append(f"| {picture} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _shown(cell: Cell, measures: Sequence[str], digits: Sequence[int], *, is_best: bool) -> str:
    if cell["num_bytes"] is None:
        return _NONE
    texts = []
    for measure, places in zip(measures, digits, strict=True):
        is_lossless = measure.endswith("psnr_db") and cell[measure] == formats.MOST_DB
        texts.append("lossless" if is_lossless else f"{cell[measure]:.{places}f}")
    text = ", ".join(texts)
    return f"**{text}**" if is_best else text


def wins(rows: dict[str, Row], measures: Sequence[str]) -> str:
    """Return the number of pictures in which bitfold alone is best, by each measure."""
    counts = [
        f"{sum(best_method(row, one) == formats.OURS for row in rows.values())} by {MEASURES[one]}"
        for one in measures
    ]
    return f"bitfold is the best of all in {', '.join(counts)}, of {len(rows)} pictures."


def effort(rows: dict[str, Row]) -> str:
    """Return the median times of encoding and decoding of bitfold's files over pictures."""
    ours = [row[formats.OURS] for row in rows.values()]
    encoding = np.median([cell["encoding_seconds"] for cell in ours])
    decoding = np.median([cell["decoding_ms"] for cell in ours])
    return (
        f"Encoding took {encoding / 60:.1f} minutes of processor time, and decoding {decoding:.0f} "
        "milliseconds (medians)."
    )


def drawings_text(table: CellTable) -> str:
    """Return all tables of drawings that have cells."""
    parts = []
    for side in formats.DRAWING_SIDES:
        for num_bytes in sorted(formats.DRAWING_BYTES):
            rows = rows_of(table, list(DRAWINGS), side, num_bytes, formats.DRAWING_RIVALS)
            if rows:
                own = markdown(rows, ("psnr_db", "ssim"), (1, 3))
                large = markdown(rows, ("large_psnr_db", "large_ssim"), (1, 3))
                parts += [
                    f"### {num_bytes} bytes, {side} x {side} pixels",
                    f"{wins(rows, list(MEASURES))} {effort(rows)}",
                    f"PSNR in dB and SSIM at {side} pixels:",
                    own,
                    f"The same files at {formats.TIMES * side} pixels:",
                    large,
                ]
    return "\n\n".join(parts)


def photographs_text(table: CellTable) -> str:
    """Return all tables of photographs that have cells."""
    parts = []
    for rate in sorted(formats.BITS_PER_PIXEL):
        methods = (*formats.PHOTOGRAPH_RIVALS, "COIN")
        num_bytes = formats.photograph_bytes(rate)
        rows = rows_of(table, PHOTOGRAPHS, SIDE, num_bytes, methods)
        if rows:
            parts += [
                f"### {rate} bits a pixel, {num_bytes:,} bytes",
                f"{wins(rows, ('psnr_db', 'ssim'))} {effort(rows)}",
                markdown(rows, ("psnr_db", "ssim"), (1, 3)),
            ]
            if num_bytes == SHEETS["formats-photographs"].num_bytes:
                parts.append(_PHOTOGRAPHS_FIGURE)
    return "\n\n".join(parts)


@dataclass(frozen=True)
class Sheet:
    """A figure: a row for each picture, with itself, bitfold, and the two best rivals.

    Args:
        pictures: names of the pictures.
        side: of a picture in pixels.
        num_bytes: of the files.
        methods: the rivals.
        truth: gives a picture at a side.
        shown_px: the side at which all are drawn, before they are made as large as a tile.
    """

    pictures: Sequence[str]
    side: int
    num_bytes: int
    methods: Sequence[str]
    truth: Callable[[str, int], NDArray[np.uint8]]
    shown_px: int

    def draw(self, table: CellTable) -> Image.Image | None:
        """Return the figure; None if no picture is measured."""
        rows = rows_of(table, self.pictures, self.side, self.num_bytes, self.methods)
        if not rows:
            return None
        height = _TILE + _CAPTION + _GAP
        sheet = Image.new("RGB", (4 * (_TILE + _GAP), len(rows) * height), "white")
        pen = ImageDraw.Draw(sheet)
        for number, (picture, row) in enumerate(rows.items()):
            for column, (caption, pixels) in enumerate(self._tiles(picture, row)):
                left, top = column * (_TILE + _GAP), number * height
                tile = Image.fromarray(pixels).resize((_TILE, _TILE), Image.Resampling.BOX)
                sheet.paste(tile, (left, top))
                pen.text((left, top + _TILE + 1), caption, fill="black")
        return sheet

    def _tiles(self, picture: str, row: Row) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        yield picture, self.truth(picture, self.shown_px)
        yield _caption(formats.OURS, row), drawn(row[formats.OURS]["file"], self.shown_px)
        measured = [one for one in self.methods if row[one]["num_bytes"] is not None]
        best = sorted(measured, key=lambda one: -row[one]["psnr_db"])[:2]
        for method, candidates in rivals(self.truth(picture, self.side), tuple(best)).items():
            found = best_within(candidates, self.num_bytes)
            assert found is not None
            yield _caption(method, row), found.draw(self.shown_px)


def _caption(method: str, row: Row) -> str:
    quality = row[method]["psnr_db"]
    return f"{method}: " + ("lossless" if quality == formats.MOST_DB else f"{quality:.1f} dB")


#: The figures by name.
SHEETS: Final = {
    "formats-drawings": Sheet(
        list(DRAWINGS),
        formats.DRAWING_SIDES[-1],
        formats.DRAWING_BYTES[0],
        formats.DRAWING_RIVALS,
        drawing,
        2 * _TILE,
    ),
    "formats-photographs": Sheet(
        PHOTOGRAPHS,
        SIDE,
        formats.photograph_bytes(formats.BITS_PER_PIXEL[0]),
        formats.PHOTOGRAPH_RIVALS,
        photograph,
        SIDE,
    ),
}


def without_parts(page: str, blocks: set[str]) -> str:
    """Return a page without the parts, each from its heading on, that hold these blocks."""
    parts = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    marks = [f"<!-- {block} -->" for block in blocks]
    kept = [part for part in parts if not any(mark in part for mark in marks)]
    return "".join(kept).rstrip() + "\n"


def main() -> None:
    """Fill the page and draw its figures."""
    table = CellTable(formats.TABLE)
    texts = {"drawings": drawings_text(table), "photographs": photographs_text(table)}
    empty = {name for name, text in texts.items() if not text}
    template = TEMPLATE.read_text(encoding="utf-8")
    PAGE.write_text(without_parts(template, empty), encoding="utf-8")
    for name in texts.keys() - empty:
        replace_block(PAGE, name, texts[name])
    for name, sheet in SHEETS.items():
        figure = sheet.draw(table)
        if figure is not None:
            figure.save(FIGURES / f"{name}.png", optimize=True)
            print(f"Drew {name}.png.")


if __name__ == "__main__":
    main()

"""How much do pictures lose when their runs become files, and how long are these?

``python -m studies.rounded_pictures FOLDER`` compresses the runs that
``python -m studies.real_pictures FOLDER`` has trained: with one tolerance for all tensors, which is
the default of `bitfold.write_model`, and as ``bitfold compress RUN`` does. It prints a table, and
writes ``FOLDER/rounded.png``: the corner of each picture as it was learned, and from both files.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitfold.experiments import CodedRun, code_run
from bitfold.experiments.network_picture import draw_network
from bitfold.experiments.pictures.similarity import psnr_db
from bitfold.experiments.run_rounding import RunRounding
from bitfold.networks import PolytopeNet
from bitfold.training import Run, load_run

_CORNER, _ENLARGED, _GAP = 120, 3, 6
_HEAD = (
    "| picture | PSNR as learned | one tolerance: bytes | lost | tint of white | "
    "`bitfold compress`: bytes | lost | tint of white |\n"
    "| --- |" + " ---: |" * 7
)


def drawn(run: Run, network: object) -> NDArray[np.uint8]:
    """Return the picture of a network at the size of its target."""
    assert isinstance(network, PolytopeNet)
    grid = run.target.grid
    time = grid.frame_time(0) if run.target.is_clip else 0.0
    return draw_network(network.eval(), grid.width, grid.height, time)


def row(run: Run, files: list[CodedRun]) -> tuple[str, Image.Image]:
    """Return a row of the table, and the corner of the picture as learned and from the files."""
    truth, own = run.target.picture(), drawn(run, run.network())
    is_white = (truth == 255).all(2)
    quality = psnr_db(truth, own)
    cells, tiles = [f"{quality:.2f} dB"], [own]
    for file in files:
        shown = drawn(run, file.network)
        lost, tint = quality - psnr_db(truth, shown), math.nan
        if is_white.any():
            means = [one[is_white].mean(0) for one in (shown, own)]
            tint = float(np.abs(means[0] - means[1]).max())
        text = f"{tint:.1f}" if math.isfinite(tint) else "no white"
        cells += [f"{len(file.data):,}", f"{lost:.2f} dB", text]
        tiles.append(shown)
    size = _CORNER * _ENLARGED
    sheet = Image.new("RGB", (len(tiles) * (size + _GAP), size + _GAP), "white")
    for number, tile in enumerate(tiles):
        corner = Image.fromarray(tile[:_CORNER, :_CORNER])
        sheet.paste(
            corner.resize((size, size), Image.Resampling.NEAREST), (number * (size + _GAP), 0)
        )
    return " | ".join(cells), sheet


def main() -> None:
    """Compress the runs, print the table and draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    print(_HEAD)
    sheets = []
    for path in sorted(given.folder.glob("*.run")):
        run = load_run(path)
        files = [RunRounding(run.target, run.network()).plain(""), code_run(run)]
        cells, sheet = row(run, files)
        print(f"| {path.name.removesuffix('.run')} | {cells} |", flush=True)
        sheets.append(sheet)
        whole = Image.new("RGB", (sheet.width, len(sheets) * sheet.height), "white")
        for number, one in enumerate(sheets):
            whole.paste(one, (0, number * sheet.height))
        whole.save(given.folder / "rounded.png")


if __name__ == "__main__":
    main()

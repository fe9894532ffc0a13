"""The table of encodings on photographs."""

import json
from pathlib import Path

from benchmarks.harness.cells import CellTable
from benchmarks.pictures.encodings import TABLE
from benchmarks.pictures.encodings_page import PAGE, results
from benchmarks.pictures.encodings_page import markdown as encodings_table


def test_a_method_is_shown_at_the_settings_that_were_chosen(tmp_path: Path) -> None:
    """Other settings of the wanted length are left out, also if a later seed likes them more."""
    found = {
        "rate 0.001, seed 0, 4 s": 20.0,
        "rate 0.01, seed 0, 4 s": 21.0,
        "rate 0.001, seed 0, 40 s": 35.0,
        "rate 0.01, seed 0, 40 s": 30.0,
        "rate 0.001, seed 1, 40 s": 36.0,
        "rate 0.01, seed 1, 40 s": 32.0,
        "rate 0.001, seed 1, 4 s": 25.0,
    }
    cells = {f"chelsea, SIREN, scale 10, {name}": {"psnr_db": db} for name, db in found.items()}
    # Another setting was tried at 4 s alone, so that the choice is known to be made there.
    cells["chelsea, SIREN, scale 20, rate 0.01, seed 0, 4 s"] = {"psnr_db": 19.0}
    path = tmp_path / "cells.json"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    shown = results(CellTable(path), 40.0)["chelsea", "SIREN"]
    assert shown.found_db == (30.0, 32.0)
    assert shown.mean_db == 31.0
    assert results(CellTable(path), 180.0) == {}


def test_the_page_quotes_the_measured_table() -> None:
    """The block in the docs is what the command writes from the committed cells."""
    assert encodings_table(results(CellTable(TABLE), 40.0)) in PAGE.read_text(encoding="utf-8")

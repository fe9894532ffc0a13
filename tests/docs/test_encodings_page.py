"""The tables of encodings on photographs."""

import json
from pathlib import Path

from benchmarks.harness.cells import CellTable
from benchmarks.pictures.encodings import TABLE, Trainings
from benchmarks.pictures.encodings_page import PAGE, Key, results
from benchmarks.pictures.encodings_page import markdown as encodings_tables


def _table(path: Path, found: dict[str, float]) -> CellTable:
    cells = {f"chelsea, 13k, SIREN, {name}": {"psnr_db": db} for name, db in found.items()}
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return CellTable(path)


def test_a_method_is_shown_at_the_first_seeds_best_settings(tmp_path: Path) -> None:
    """Other settings are left out, also if a later seed or a shorter training likes them more."""
    table = _table(
        tmp_path / "cells.json",
        {
            "scale 10, rate 0.001, seed 0, 40 s": 30.0,
            "scale 10, rate 0.01, seed 0, 40 s": 35.0,
            "scale 10, rate 0.001, seed 1, 40 s": 36.0,
            "scale 10, rate 0.01, seed 1, 40 s": 32.0,
            "scale 20, rate 0.001, seed 0, 4 s": 37.0,
        },
    )
    shown = results(table, 40.0)[Key("chelsea", "13k", "SIREN")]
    assert shown.found_db == (35.0, 32.0)
    assert shown.mean_db == 33.5
    assert results(table, 180.0) == {}


def test_settings_that_diverge_give_way_to_the_next_best(tmp_path: Path) -> None:
    """The best pair after the first try counts, if it gets better until the end."""
    soon = {
        f"scale {scale}, rate {rate}, seed 0, 10 s": 20.0
        for scale in (10, 20, 30)
        for rate in ("0.0003", "0.001", "0.003")
    }
    soon["scale 20, rate 0.003, seed 0, 10 s"] = 27.0
    soon["scale 30, rate 0.001, seed 0, 10 s"] = 25.0
    late = {
        "scale 20, rate 0.003, seed 0, 180 s": 10.0,
        "scale 30, rate 0.001, seed 0, 180 s": 32.0,
    }
    table = _table(tmp_path / "cells.json", soon | late)
    best = Trainings(table, 180.0, 10.0).best("chelsea", "13k", "SIREN", 0)
    assert (best.scale, best.rate) == (30.0, 0.001)


def test_the_page_quotes_the_measured_tables() -> None:
    """The block in the docs is what the command writes from the committed cells."""
    assert encodings_tables(results(CellTable(TABLE), 180.0)) in PAGE.read_text(encoding="utf-8")

"""Tests of what is said before loops are compiled for the first time."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from bitfold.polytopes.cutting import cut_dense
from bitfold.polytopes.cutting.first_compile import MESSAGE, announce_first_compile


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_step_that_takes_long_is_announced_once(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    is_compiled: bool,
) -> None:
    """Unless what was compiled earlier is there."""
    if is_compiled:
        (tmp_path / "cut_dense.cut_dense_layers-1.py311.nbi").touch()
    stats = SimpleNamespace(cache_path=str(tmp_path))
    monkeypatch.setattr(cut_dense, "cut_dense_layers", SimpleNamespace(stats=stats))
    announce_first_compile.cache_clear()
    with caplog.at_level(logging.WARNING, "bitfold"):
        announce_first_compile()
        announce_first_compile()
    announce_first_compile.cache_clear()
    assert [record.getMessage() for record in caplog.records] == [MESSAGE] * (not is_compiled)


def test_the_place_is_where_numba_keeps_the_loops() -> None:
    """The name that is looked for is the one that Numba writes."""
    import bitfold
    from bitfold.networks import PolytopeNet

    bitfold.partition(PolytopeNet(2, "[3]", 1).eval())
    place = cut_dense.cut_dense_layers.stats.cache_path
    assert any(Path(place).glob("cut_dense.cut_dense_layers-*.nbi"))

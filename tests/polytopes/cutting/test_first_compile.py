"""Tests of the log line before loops are compiled for the first time."""

from __future__ import annotations

import logging

import pytest

from bitfold.polytopes.cutting.first_compile import MESSAGE, announce_first_compile
from bitfold.polytopes.cutting.loops.dense import cut_dense_layers
from bitfold.runtime import compiling


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_step_that_takes_long_is_announced_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_compiled: bool
) -> None:
    """A long compilation is announced once; loops that were compiled before give no line."""
    monkeypatch.setattr(compiling, "is_stored", lambda loop: is_compiled)
    announce_first_compile.cache_clear()
    with caplog.at_level(logging.WARNING, "bitfold"):
        announce_first_compile()
        announce_first_compile()
    announce_first_compile.cache_clear()
    assert [record.getMessage() for record in caplog.records] == [MESSAGE] * (not is_compiled)


def test_loops_that_cut_are_on_disk_after_the_first_cut() -> None:
    """The loop that the check looks for is one that a partition compiles."""
    import bitfold
    from bitfold.networks import PolytopeNet

    bitfold.partition(PolytopeNet(2, "[3]", 1).eval())
    assert compiling.is_stored(cut_dense_layers)

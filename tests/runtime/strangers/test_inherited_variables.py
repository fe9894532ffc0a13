"""Environment variables that would break a library are removed."""

from __future__ import annotations

import os

import pytest

from bitfold.runtime.strangers.inherited_variables import drop_wrong_variables


@pytest.mark.parametrize("value", ["0", "-1", "abc", "", "1.5", "\x1b[2J"])
def test_a_number_of_threads_that_is_none_is_dropped(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invalid number of threads is dropped; Numba would raise or warn in nine lines."""
    monkeypatch.setenv("NUMBA_NUM_THREADS", value)
    (line,) = drop_wrong_variables()
    assert line.isprintable()
    assert "NUMBA_NUM_THREADS" not in os.environ


def test_what_numba_takes_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that Numba accepts stays, and an environment without the variable stays unchanged."""
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    assert drop_wrong_variables() == []
    assert os.environ["NUMBA_NUM_THREADS"] == "2"
    monkeypatch.delenv("NUMBA_NUM_THREADS")
    assert drop_wrong_variables() == []

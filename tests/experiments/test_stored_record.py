"""A stored record is read only if its memory is bounded by its size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bitfold.errors import RunError
from bitfold.experiments.stored_record import StoredRecord

_STORED: StoredRecord[dict[str, Any]] = StoredRecord("r.json", "a test", "test", 1, dict, 320)


def test_a_record_comes_back(tmp_path: Path) -> None:
    """A record is read as it was written, and a missing record as None."""
    assert _STORED.read(tmp_path) is None
    _STORED.write(tmp_path, {"rows": [1, 2]})
    assert _STORED.read(tmp_path) == {"rows": [1, 2]}


def test_a_record_that_would_not_be_read_is_not_written(tmp_path: Path) -> None:
    """A record that could not be read is not written, and the old record stays."""
    _STORED.write(tmp_path, {"rows": "first"})
    with pytest.raises(RunError, match="expected at most 320 bytes, got"):
        _STORED.write(tmp_path, {"rows": "x" * 320})
    assert _STORED.read(tmp_path) == {"rows": "first"}


@pytest.mark.parametrize("hostile", ["[],", "{},"])
def test_many_empty_lists_are_refused(hostile: str, tmp_path: Path) -> None:
    """A record of many empty lists, each of twenty times its bytes once parsed, is refused."""
    text = '{"format": "test", "version": 1, "rows": [' + hostile * 11 + "0]}"
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(RunError, match="too many lists"):
        _STORED.read(tmp_path)


def test_many_short_values_are_refused(tmp_path: Path) -> None:
    """A text of two characters takes twelve times its bytes once it is parsed."""
    text = '{"format": "test", "version": 1, "rows": [' + '"ab",' * 20 + "0]}"
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(RunError, match="too many values"):
        _STORED.read(tmp_path)

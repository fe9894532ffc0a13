"""Which code an audit passes over on its way to the caller's line."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from bitfold.audit.source_location import _installed_file
from tests.bytecode_copies import copy_as_bytecode


def test_bytecode_lies_where_it_was_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code without source belongs to the folder of its bytecode, not to that where it was made."""
    assert _installed_file(sys._getframe()) == __file__
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "__init__.py").write_text("import sys\nFRAME = sys._getframe()\n")
    copy_as_bytecode(tmp_path / "sources", tmp_path / "made_up_layer")
    monkeypatch.syspath_prepend(tmp_path)
    frame = importlib.import_module("made_up_layer").FRAME
    assert not Path(frame.f_code.co_filename).exists()
    assert _installed_file(frame) == str(tmp_path / "made_up_layer" / "__init__.pyc")

"""Fixtures of the tests of runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitfold.runtime.loop_cache import cache as loop_cache
from bitfold.runtime.loop_cache.folders import LoopFolders


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder of compiled loops during a test; it starts empty."""
    folders = LoopFolders((tmp_path / "loops",))
    monkeypatch.setattr(loop_cache, "loop_folders", lambda: folders)
    loop_cache._warn_of_damage.cache_clear()
    return tmp_path / "loops"

"""The process that cuts: how it is started."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bitfold.studio.hub.cutter import Cutter


@pytest.mark.parametrize("given", [None, "active"])
def test_its_threads_sleep_while_they_wait(
    given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting threads leave the cores to those that train, unless the user wants it otherwise."""
    found: dict[str, Any] = {}

    async def start(*_: object, **options: Any) -> None:
        found.update(options)
        raise OSError("started")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
    cutter = Cutter(lambda: None, lambda data: None, lambda request, reason: None)
    with pytest.raises(OSError, match="started"):
        asyncio.run(cutter.run())
    assert found["env"]["OMP_WAIT_POLICY"] == (given or "passive")
    assert "PATH" in found["env"]

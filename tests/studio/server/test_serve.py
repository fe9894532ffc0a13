"""The server in a thread that already runs a loop, as the cells of a notebook do."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path
from urllib.request import urlopen

import pytest

from bitfold.errors import StudioError
from bitfold.studio.hub.hub import Hub
from bitfold.studio.server import serve as serving
from bitfold.studio.server.assets import Assets


@pytest.fixture(autouse=True)
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve a page of one line."""
    assets = Assets({"/": ("text/html", b"<!doctype html>")})
    monkeypatch.setattr(Assets, "built", classmethod(lambda cls: assets))


def in_a_loop(*arguments: object, **options: object) -> None:
    """Serve from within a running loop, as a notebook's cell does."""

    async def cell() -> None:
        serving.serve(*arguments, **options)  # type: ignore[arg-type] # given through

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(cell())
    finally:
        loop.close()


def test_a_notebooks_cell_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    """Within a running loop the page is served, and an interrupt ends the server."""
    found: list[bytes] = []
    main = threading.main_thread().ident
    assert main is not None

    def ready(url: str) -> None:
        def ask_and_interrupt() -> None:
            try:
                with urlopen(url, timeout=60) as answer:
                    found.append(answer.read())
            finally:
                signal.pthread_kill(main, signal.SIGINT)

        threading.Thread(target=ask_and_interrupt).start()

    in_a_loop(tmp_path, ready=ready)
    assert found == [b"<!doctype html>"]
    assert not [one for one in threading.enumerate() if one.name.startswith("ThreadPoolExecutor")]


def test_an_error_reaches_the_cell(tmp_path: Path) -> None:
    """An error while the server begins is raised within a running loop too."""

    def ready(_: str) -> None:
        raise StudioError("Cannot show the page.")

    with pytest.raises(StudioError, match="Cannot show the page"):
        in_a_loop(tmp_path, ready=ready)


@pytest.mark.parametrize("is_shown_at", [3, None])
def test_the_page_is_named_once_it_can_show_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_shown_at: int | None
) -> None:
    """The URL is told at the first moment at which a picture can be had, or after some seconds."""
    asked: list[str] = []

    def can_show(_: Hub, name: str) -> bool:
        asked.append(name)
        return len(asked) == is_shown_at

    def ready(_: str) -> None:
        raise StudioError(f"Asked {len(asked)} times.")

    monkeypatch.setattr(Hub, "can_show", can_show)
    monkeypatch.setattr(serving, "_MOST_SECONDS", 60.0 if is_shown_at else 0.1)
    with pytest.raises(StudioError, match=r"Asked \d times") as caught:
        in_a_loop(tmp_path, ready=ready)
    if is_shown_at:
        assert str(caught.value) == "Asked 3 times."


def test_who_interrupts_before_there_is_a_picture_sees_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL is not told after an interrupt, however long the server takes to end."""
    told: list[str] = []
    main = threading.main_thread().ident
    assert main is not None

    def can_show(_: Hub, name: str) -> bool:
        del name
        if not told:
            told.append("an interrupt")
            signal.pthread_kill(main, signal.SIGINT)
        return False

    monkeypatch.setattr(Hub, "can_show", can_show)
    in_a_loop(tmp_path, ready=told.append)
    assert told == ["an interrupt"]

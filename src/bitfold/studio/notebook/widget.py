"""The widget: a page of the studio in a notebook, by anywidget."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bitfold.errors import StudioError
from bitfold.polytopes import Partition
from bitfold.studio.built_page import PAGE
from bitfold.studio.notebook.notebook_page import NotebookPage, Send
from bitfold.studio.notebook.partition_page import PartitionPage
from bitfold.studio.notebook.run_page import RunPage
from bitfold.studio.wire.message import VERSION
from bitfold.training import RunRecord, Session

_HAS_ANYWIDGET = find_spec("anywidget") is not None
if TYPE_CHECKING or not _HAS_ANYWIDGET:

    class _Base:
        """In the place of anywidget's class."""

        def __init__(self, **traits: Any) -> None:
            del traits

        def send(self, content: Any, buffers: Any = None) -> None:
            """Send a message to the page."""

        def on_msg(self, callback: Any) -> None:
            """Let a function hear the page."""

        def close(self) -> None:
            """Take the page away."""

else:
    from anywidget import AnyWidget as _Base

_SCRIPT = PAGE / "widget.js"


class Widget(_Base):
    """Folds, curves and bits in Jupyter, JupyterLab, VS Code or marimo.

    The views are those of `bitfold studio`. They look at the notebook's own objects: there is no
    server and no other process.

    - Of a session: play, pause, step, paint and settings train it between the notebook's cells.
      While a cell runs, the widget watches: a loop over the session is shown as it trains.
    - Of a run: the recorded moments, at any zoom.
    - Of a partition of any module, such as on a plane through three images: it is cut anew in each
      window that is looked at.

    Args:
        shown: the session, the run or the partition.

    Raises:
        StudioError: anywidget is not installed, the page was not built, or ``shown`` is something
            else.
    """

    # Also what could not be made is closed, when Python drops it.
    _has_page = False

    def __init__(self, shown: Session | RunRecord | Partition) -> None:
        if not _HAS_ANYWIDGET:
            raise StudioError(
                "Cannot make a widget: anywidget is not installed. Install bitfold[notebook]."
            )
        if not _SCRIPT.is_file():
            raise StudioError(
                f"Cannot make a widget: expected a built page in {PAGE}, got none. Run "
                "`python tools/build_page.py` in a checkout, or install a wheel."
            )
        self._page = page_of(shown, self._send_wire)
        self._has_page = True
        self._playing: asyncio.Task[None] | None = None
        super().__init__(_esm=_SCRIPT.read_text(encoding="utf-8"))
        self.on_msg(self._hear)

    def close(self) -> None:
        """Take the page away; a session then trains on without cutting folds for it."""
        if self._has_page:
            self._page.close()
        super().close()

    def _send_wire(self, data: bytes) -> None:
        self.send({"wire": VERSION}, buffers=[data])

    def _hear(self, _: Any, content: Any, __: Any) -> None:
        command = content.get("command") if isinstance(content, dict) else None
        self._page.hear(command if isinstance(command, str) else "")
        if self._page.is_playing and (self._playing is None or self._playing.done()):
            self._play()

    def _play(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._page.hear('{"kind": "pause", "run": ""}')
            self._page.refuse(
                "Cannot play: expected the event loop of a notebook, got none. Iterate over the "
                "session instead."
            )
            return
        self._playing = loop.create_task(self._train())

    async def _train(self) -> None:
        while self._page.is_playing:
            await asyncio.sleep(self._page.advance())


def page_of(shown: Any, send: Send) -> NotebookPage:
    """Return what answers the page of an object.

    Args:
        shown: a session, a run or a partition.
        send: takes the messages for the page.

    Raises:
        StudioError: it is something else.
    """
    if isinstance(shown, Session):
        return RunPage(send, shown.run, shown)
    if isinstance(shown, RunRecord):
        return RunPage(send, shown)
    if isinstance(shown, Partition):
        return PartitionPage(send, shown)
    raise StudioError(
        "Cannot make a widget: expected a session, a run or a partition, got "
        f"{type(shown).__name__}. See `bitfold.Session`, `bitfold.load_run` and "
        "`bitfold.partition`."
    )

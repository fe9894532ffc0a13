"""The orders that the studio's server gives a trainer: one JSON object a line."""

from __future__ import annotations

import json
import queue
import threading
from typing import Any, TextIO

#: What stands for the end of the orders: the server has died, or has closed the pipe.
END = {"kind": "stop"}


class Orders:
    """Orders as they come, read by a thread of its own.

    Args:
        source: one JSON object a line; its end is the order to stop.
    """

    def __init__(self, source: TextIO) -> None:
        self._source = source
        self._waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def next(self, timeout_seconds: float | None) -> dict[str, Any] | None:
        """Return the next order, or None if there is none within a time.

        Args:
            timeout_seconds: 0 not to wait; None to wait for ever.
        """
        try:
            if timeout_seconds == 0:
                return self._waiting.get_nowait()
            return self._waiting.get(timeout=timeout_seconds)
        except queue.Empty:
            return None

    def _listen(self) -> None:
        for line in self._source:
            self._waiting.put(json.loads(line))
        self._waiting.put(END)

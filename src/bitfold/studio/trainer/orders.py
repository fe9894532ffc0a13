"""The orders that a trainer gets: from the studio's server, or from its own process."""

from __future__ import annotations

import json
import queue
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from typing import Any, TextIO

#: What stands for the end of the orders: the server has died, or has closed the pipe.
END = {"kind": "stop"}


class Orders(ABC):
    """What a driver is told to do."""

    @abstractmethod
    def next(self, timeout_seconds: float | None) -> Mapping[str, Any] | None:
        """Return the next order, or None if there is none within a time.

        Args:
            timeout_seconds: 0 not to wait; None to wait for ever.
        """


class OrdersAtHand(Orders):
    """Orders that the same thread gives: nobody waits for them."""

    def __init__(self) -> None:
        self._waiting: deque[Mapping[str, Any]] = deque()

    def order(self, order: Mapping[str, Any]) -> None:
        """Add an order."""
        self._waiting.append(order)

    def next(self, timeout_seconds: float | None) -> Mapping[str, Any] | None:
        """See `Orders`; the time does not matter."""
        del timeout_seconds
        return self._waiting.popleft() if self._waiting else None


class OrdersOfServer(Orders):
    """Orders as they come, read by a thread of its own.

    Args:
        source: one JSON object a line; its end is the order to stop.
    """

    def __init__(self, source: TextIO) -> None:
        self._source = source
        self._waiting: queue.SimpleQueue[dict[str, Any] | Exception] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def next(self, timeout_seconds: float | None) -> dict[str, Any] | None:
        """See `Orders`.

        Raises:
            Exception: why the orders cannot be read; a trainer that hears none would never end.
        """
        try:
            found = self._waiting.get(timeout_seconds != 0, timeout_seconds)
        except queue.Empty:
            return None
        if isinstance(found, Exception):
            raise found
        return found

    def _listen(self) -> None:
        try:
            for line in self._source:
                self._waiting.put(json.loads(line))
        except Exception as error:
            self._waiting.put(error)
        else:
            self._waiting.put(END)

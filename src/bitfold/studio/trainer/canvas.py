"""The target as it is being painted."""

from __future__ import annotations

from collections import deque
from typing import Any

from numpy.typing import NDArray

from bitfold.errors import StudioError
from bitfold.studio.trainer.painting import Stroke, painted
from bitfold.targets import Target

_MOST_UNDONE = 50


class Canvas:
    """Pixels of a target with strokes on them.

    Args:
        target: the target that the eraser brings back.

    Attributes:
        is_wet: whether it changed since it was taken last.
    """

    def __init__(self, target: Target) -> None:
        self._original = self._pixels = target.pixels
        self._before: deque[NDArray[Any]] = deque(maxlen=_MOST_UNDONE)
        self.is_wet = False

    @property
    def can_undo(self) -> bool:
        """Whether there is a stroke to take back."""
        return bool(self._before)

    def paint(self, stroke: Stroke, *, begins: bool) -> None:
        """Add a stroke.

        Args:
            stroke: the stroke, or the next piece of one.
            begins: whether it is the first piece, to which `undo` goes back.

        Raises:
            StudioError: its colour is none.
        """
        found = painted(self._pixels, stroke, self._original)
        if begins or not self._before:
            self._before.append(self._pixels)
        self._pixels, self.is_wet = found, True

    def undo(self) -> None:
        """Take the last stroke back.

        Raises:
            StudioError: there is none.
        """
        if not self._before:
            raise StudioError("Cannot undo: expected a stroke, got none. Paint first.")
        self._pixels, self.is_wet = self._before.pop(), True

    def take(self) -> NDArray[Any]:
        """Return the pixels, which count as learned from now on."""
        self.is_wet = False
        return self._pixels

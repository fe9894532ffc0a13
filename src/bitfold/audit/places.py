"""Places in source code: who called an operation, and from within which custom Function."""

from __future__ import annotations

import inspect
import linecache
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType

import numpy as np
import torch

# Frames in these folders carry out what the caller's code asks for.
_LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()
_INSIDE = tuple(
    str(Path(file).resolve().parent) for file in (str(torch.__file__), str(np.__file__), __file__)
)
_APPLY: CodeType = inspect.unwrap(vars(torch.autograd.Function)["apply"].__func__).__code__


@dataclass(frozen=True)
class Place:
    """A line of source code.

    Args:
        file: its path.
        line: from 1; 0 if unknown.
    """

    file: str
    line: int

    def code(self) -> str:
        """Return what stands there, or an empty string."""
        return linecache.getline(self.file, self.line).strip()


@dataclass(frozen=True)
class Application:
    """A call of a custom autograd.Function, whose forward records no graph of its own.

    Args:
        frame: identity of the call's frame, distinct from those of calls at the same time.
        operation: the Function's name.
        place: where it was called.
    """

    frame: int
    operation: str
    place: Place


UNKNOWN = Place("<unknown>", 0)


class Locator:
    """Finds the place from which an operation was called.

    Args:
        root: code of the function that calls the term; what lies beyond it is not the term's.
    """

    def __init__(self, root: CodeType) -> None:
        self._root = root
        self._is_inside: dict[str, bool] = {}

    def locate(self) -> tuple[Place, Application | None]:
        """Return the innermost frame outside, and the outermost custom Function around it."""
        found: Place | None = None
        applied: FrameType | None = None
        applied_at: Place | None = None
        frame: FrameType | None = sys._getframe(1)
        beyond = False
        while frame is not None:
            code = frame.f_code
            beyond = beyond or code is self._root
            if code is _APPLY and not beyond:
                applied, applied_at = frame, None
            elif not self._inside(code.co_filename):
                here = Place(code.co_filename, frame.f_lineno)
                found, applied_at = found or here, applied_at or here
            # A term that is a function of PyTorch has no frame of its own: look at its caller's.
            if beyond and found is not None:
                break
            frame = frame.f_back
        return found or UNKNOWN, self._application(applied, applied_at or UNKNOWN)

    def _application(self, frame: FrameType | None, place: Place) -> Application | None:
        if frame is None:
            return None
        return Application(id(frame), f"{frame.f_locals['cls'].__name__}.apply", place)

    def _inside(self, file: str) -> bool:
        known = self._is_inside.get(file)
        if known is None:
            known = self._is_inside[file] = _carries_out(file)
        return known


def _carries_out(file: str) -> bool:
    if file.startswith("<"):
        return True
    path = Path(file).resolve()
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    return any(Path(folder) in path.parents for folder in _INSIDE) or (
        _LIBRARY in path.parents and not installed
    )

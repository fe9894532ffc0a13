"""Source locations: which line called an operation, and within which custom Function."""

from __future__ import annotations

import contextlib
import inspect
import linecache
import sys
import sysconfig
from dataclasses import dataclass, replace
from importlib.machinery import BYTECODE_SUFFIXES
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import numpy as np
import torch

# Code in these folders belongs to a library, not to the caller.
_LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()
_INSIDE = tuple(
    str(Path(file).resolve().parent) for file in (str(torch.__file__), str(np.__file__), __file__)
)


@dataclass(frozen=True)
class SourceLocation:
    """A line of source code.

    Args:
        file: its path.
        line: from 1; 0 if unknown.
    """

    file: str
    line: int

    def code(self) -> str:
        """Return the line's text, or an empty string if the source is not available."""
        return linecache.getline(self.file, self.line).strip()


@dataclass(frozen=True)
class Application:
    """A call of a custom autograd.Function, whose forward records no graph of its own.

    Args:
        frame: identity of the frame of the Function's forward; tells concurrent calls apart.
        operation: the Function's name.
        location: the line that called it.
    """

    frame: int
    operation: str
    location: SourceLocation


UNKNOWN = SourceLocation("<unknown>", 0)


class Locator:
    """Finds the line from which an operation was called; for one audit.

    Args:
        root: code of the function that calls the term; frames beyond it do not belong to the term.
    """

    def __init__(self, root: CodeType) -> None:
        self._root = root
        self._is_inside: dict[str, bool] = {}
        self._known: set[type[Any]] = set()
        self._names: dict[CodeType, str] = {}  # of the Functions that are known, by their forwards
        self._plain: set[CodeType] = set()  # code that is no forward

    def locate(self) -> tuple[SourceLocation, Application | None]:
        """Return the innermost line outside libraries, and the outermost custom Function."""
        found: SourceLocation | None = None
        application: Application | None = None
        applied_at: SourceLocation | None = None
        frame: FrameType | None = sys._getframe(1)
        beyond = False
        while frame is not None:
            code = frame.f_code
            beyond = beyond or code is self._root
            here = SourceLocation(code.co_filename, frame.f_lineno)
            is_outside = not self._inside(frame)
            if is_outside:
                found, applied_at = found or here, applied_at or here
            function = None if beyond else self._function_of_forward(code)
            if function is not None:
                application = Application(id(frame), f"{function}.apply", UNKNOWN)
                applied_at = None
            # A term that is itself a PyTorch function has no frame: use its caller's.
            if beyond and found is not None:
                break
            frame = frame.f_back
        if application is not None:
            application = replace(application, location=applied_at or UNKNOWN)
        return found or UNKNOWN, application

    def _function_of_forward(self, code: CodeType) -> str | None:
        """The name of the custom Function whose forward is this code; None for other code.

        Since PyTorch 2.14, `Function.apply` itself leaves no frame, so this looks for forwards.
        """
        if code in self._plain:
            return None
        if code not in self._names:
            # A term may define Functions while it runs: look for new ones for unknown code.
            self._learn(torch.autograd.Function)
            if code not in self._names:
                self._plain.add(code)
        return self._names.get(code)

    def _learn(self, base: type[Any]) -> None:
        """Take note of all custom Functions that are new, and of the code of their own forwards."""
        for function in base.__subclasses__():
            if function not in self._known:
                self._known.add(function)
                code = _code_of(function)
                if code is not None:
                    self._names[code] = function.__name__
            self._learn(function)

    def _inside(self, frame: FrameType) -> bool:
        file = _installed_file(frame)
        known = self._is_inside.get(file)
        if known is None:
            known = self._is_inside[file] = _carries_out(file)
        return known


def _code_of(function: type[Any]) -> CodeType | None:
    """The code of a Function's forward, below its decorators."""
    forward = vars(function).get("forward")
    unwrapped = inspect.unwrap(getattr(forward, "__func__", forward)) if forward else None
    return unwrapped.__code__ if isinstance(unwrapped, FunctionType) else None


def _installed_file(frame: FrameType) -> str:
    """The file that a frame's code was loaded from, which for bytecode is not the file it names.

    Bytecode names the source from which it was made, wherever that was.
    """
    loaded = str(frame.f_globals.get("__file__", ""))
    is_bytecode = loaded.endswith(tuple(BYTECODE_SUFFIXES))
    return loaded if is_bytecode else frame.f_code.co_filename


def _carries_out(file: str) -> bool:
    if file.startswith("<"):
        return True
    path = Path(file)
    with contextlib.suppress(OSError):  # the current folder was deleted
        path = path.resolve()
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    return any(Path(folder) in path.parents for folder in _INSIDE) or (
        _LIBRARY in path.parents and not installed
    )

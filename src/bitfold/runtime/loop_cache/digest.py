"""A digest of everything that a compiled loop's machine code depends on.

Numba inlines loops into one another and copies the values of global numbers into machine code. A
loop's machine code is out of date when any of these changes, in whichever file it stands.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.dispatcher import Dispatcher

_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, np.dtype)
#: The option that leaves out the wrapper through which Python calls a loop.
DOOR_OPTION = "no_cpython_wrapper"
# Modules that decide how functions are compiled into loops.
_INLINING = ("bitfold.runtime.inlining", "bitfold.runtime.loop_cache.unfinished_code")


@cache
def digest_of(loop: Dispatcher) -> str:
    """Return 16 hexadecimal digits that change whenever a loop's machine code could.

    They cover the bytecode, constants and options of the loop and of everything that it calls; the
    values of global numbers and arrays; the sources of the modules that define any other object
    these use, or their bytecode where no source is installed; and the versions of Python, Numba and
    llvmlite. Line numbers, comments and docstrings do not count. The processor is not covered:
    Numba's index of a loop names it.

    Args:
        loop: what `bitfold.runtime.compiling.compiled` returned.
    """
    found = hashlib.sha256()
    versions = (str(sys.version_info[:3]), numba.__version__, llvmlite.__version__)
    for text in (*versions, *(_digest_alone(callee) for callee in _called_by(loop))):
        found.update(text.encode() + b"\0")
    return found.hexdigest()[:16]


def loops_within(loop: Dispatcher) -> list[Dispatcher]:
    """Return a loop and every loop that it calls, directly or not: each once, the loop first."""
    return [callee for callee in _called_by(loop) if isinstance(callee, Dispatcher)]


def _called_by(loop: Dispatcher) -> list[Any]:
    """Return a loop, and every loop and inlined function that it calls, each once."""
    package = _package(_function(loop))
    found: dict[Any, None] = {loop: None}
    queue: list[Any] = [loop]
    while queue:
        for _, value in _referred_to(_function(queue.pop())):
            is_called = isinstance(value, Dispatcher) or (
                isinstance(value, FunctionType) and _package(value) == package
            )
            if is_called and value not in found:
                found[value] = None
                queue.append(value)
    return list(found)


@cache
def _digest_alone(callee: Any) -> str:
    """The digest of one loop or inlined function; what it calls enters by name."""
    function = _function(callee)
    if isinstance(callee, Dispatcher):
        given = {name: value for name, value in callee.targetoptions.items() if name != DOOR_OPTION}
        options = _described(given, function)
    else:
        options = "".join(_source_digest(module) for module in _INLINING if module in sys.modules)
    parts = [_name(function), options]
    parts.append(_described(function.__defaults__, function))
    parts += [_described_code(code, function) for code in _codes(function)]
    parts += [f"{name}={_described(value, function)}" for name, value in _referred_to(function)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _function(callee: Any) -> FunctionType:
    function: FunctionType = callee.py_func if isinstance(callee, Dispatcher) else callee
    return function


def _codes(function: FunctionType) -> Iterator[CodeType]:
    """Yield the code of a function and of the functions and comprehensions within it."""
    queue = [function.__code__]
    while queue:
        code = queue.pop()
        yield code
        queue += [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _described_code(code: CodeType, function: FunctionType) -> str:
    constants = [c for c in code.co_consts if not isinstance(c, CodeType)]
    without_doc = [None if c == function.__doc__ else c for c in constants]
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return f"{code.co_code.hex()} {_described(without_doc, function)} {names} {code.co_flags}"


def _referred_to(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of globals and of outer functions' variables that are used."""
    names = {name for code in _codes(function) for name in code.co_names}
    for name in sorted(names & function.__globals__.keys()):
        yield name, function.__globals__[name]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, cell.cell_contents


def _described(value: Any, function: FunctionType) -> str:
    """Return a text that is the same in every process exactly if the value is."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    if isinstance(value, slice):
        value = [value.start, value.stop, value.step]
    if isinstance(value, tuple | list):
        return str([_described(item, function) for item in value])
    if isinstance(value, set | frozenset):
        return str(sorted(_described(item, function) for item in value))
    if isinstance(value, dict):
        return str(sorted((str(key), _described(item, function)) for key, item in value.items()))
    return _described_definition(value, function)


def _described_definition(value: Any, function: FunctionType) -> str:
    """Name an object; if its module belongs to the loop's package, add the module's source."""
    if isinstance(value, Dispatcher):
        return _name(value.py_func)
    if isinstance(value, FunctionType):
        return _name(value)
    place = value.__name__ if isinstance(value, ModuleType) else type(value).__module__
    place = getattr(value, "__module__", None) or place
    name = f"{place}.{getattr(value, '__qualname__', '')}"
    is_ours = place.split(".")[0] == _package(function)
    return f"{name} {_source_digest(place)}" if is_ours else name


def _name(function: FunctionType) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _package(function: FunctionType) -> str:
    return function.__module__.split(".")[0]


@cache
def _source_digest(module: str) -> str:
    try:
        text = inspect.getsource(sys.modules[module])
    except OSError:  # bytecode alone is installed
        text = _bytecode(module)
    return hashlib.sha256(text.encode()).hexdigest()


def _bytecode(module: str) -> str:
    """Return a text of a module's bytecode, without the lines that it comes from."""
    spec: Any = sys.modules[module].__spec__
    body = FunctionType(spec.loader.get_code(module), {"__name__": module})
    return "\n".join(_described_code(code, body) for code in _codes(body))

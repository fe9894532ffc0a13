"""Tests of dispatchers: which process compiles, which waits, and which wrappers exist."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from numba.core.typing import templates

from bitfold.runtime import compiling, numba_internals
from bitfold.runtime.compiling import compiled

_LOOP = """
from bitfold.runtime.compiling import compiled

@compiled
def loop(x):
    total = 0.0
    for i in range(100):
        total += x ** i
    return total
"""
_SCRIPT = """
import sys
from made_up import loop
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
loop(1.0)
print(sum(loop.stats.cache_misses.values()))
"""


def test_processes_that_start_together_compile_a_loop_once(tmp_path: Path) -> None:
    """Of processes that start together, one compiles a loop; the others wait and load it."""
    (tmp_path / "made_up.py").write_text(_LOOP)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _SCRIPT],
            cwd=tmp_path,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "shared")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [int(process.communicate(timeout=300)[0]) for process in processes]
    assert sorted(answers) == [0, 0, 1]


def _inner(x: int) -> int:
    return x + 1


def _make() -> tuple[Any, Any]:
    inner = compiled(_inner)

    def outer(x: int) -> int:
        result: int = 2 * inner(x)
        return result

    return inner, compiled(outer)


def test_a_loop_that_only_loops_call_gets_no_wrapper_for_python() -> None:
    """A loop called by loops gets code without Python's wrapper; a Python call gets other code."""
    inner, outer = _make()
    assert outer(3) == 8
    assert len(inner.overloads) == 1
    assert "cpython" not in next(iter(inner.inspect_llvm().values()))
    assert inner(3) == 4
    assert sum(inner.stats.cache_misses.values()) == 2


def test_both_kinds_of_code_are_loaded() -> None:
    """Code with and code without the wrapper are both loaded from disk."""
    first_inner, first_outer = _make()
    assert (first_outer(3), first_inner(3)) == (8, 4)
    inner, outer = _make()
    assert (inner(3), outer(3), inner(3)) == (4, 8, 4)
    assert sum(inner.stats.cache_misses.values()) == 0
    assert sum(outer.stats.cache_misses.values()) == 0


def test_a_loop_that_python_called_first_needs_no_second_code() -> None:
    """Other loops use code with the wrapper, if Python has called the loop before."""
    inner, outer = _make()
    assert (inner(3), outer(3)) == (4, 8)
    assert sum(inner.stats.cache_misses.values()) == 1


def test_each_type_of_argument_has_its_own_code() -> None:
    """A second signature is compiled and stored beside the first."""
    loop: Any = compiled(_inner)
    again: Any = compiled(_inner)
    assert (loop(1), loop(1.5), again(1), again(1.5)) == (2, 2.5, 2, 2.5)
    assert sum(again.stats.cache_misses.values()) == 0


def test_a_loop_that_cannot_be_compiled_releases_its_lock(folder: Path) -> None:
    """An error of typing is raised and frees the loop's lock, so that it can be compiled again."""

    @compiled
    def wrong(x: int) -> int:
        return x.missing  # type: ignore[attr-defined,no-any-return] # the error that is looked for

    for _ in range(2):
        with pytest.raises(Exception, match="missing"):
            wrong(1)
    from filelock import FileLock

    (path,) = folder.glob("*.lock")
    with FileLock(path, timeout=0):
        pass


def test_an_unknown_numba_compiles_by_its_own_means(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With unexpected internals of Numba, one line says so and loops compile by Numba itself."""
    monkeypatch.setitem(numba_internals._METHODS, (Dispatcher, "compile"), ["self", "other"])
    numba_internals.are_as_expected.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, "bitfold"):
            loop = compiled(_inner)
            assert compiled(_inner)(1) == loop(1) == 2
        assert type(loop).__name__ == "CPUDispatcher"
        assert compiling.is_stored(loop)
        assert len(caplog.records) == 1
        assert "(TypeError: Dispatcher.compile takes self, sig)" in caplog.text
    finally:
        numba_internals.are_as_expected.cache_clear()


def test_options_reach_numba() -> None:
    """Fast-math flags and the error model reach Numba."""

    @compiled(error_model="numpy")
    def divide(a: float, b: float) -> float:
        return a / b

    assert np.isinf(divide(1.0, 0.0))


def test_helpers_of_numba_serve_loops_and_other_functions() -> None:
    """Numba's own functions are compiled without stored code, and any function may call them.

    No other code uses a dimension of 9, so that the helpers are compiled here.
    """

    @compiled
    def loop(size: int) -> float:
        return float(np.full((1, 1, 1, 1, 1, 1, 1, 1, size), 0.5, np.float32).sum())

    def plain(size: int) -> float:
        return float(np.full((1, 1, 1, 1, 1, 1, 1, 1, size), 0.5, np.float32).sum()) + 1

    other: Any = numba.njit(plain)
    before = templates._OverloadFunctionTemplate._get_jit_decorator
    assert loop(6) == 3
    assert other(6) == 4
    assert templates._OverloadFunctionTemplate._get_jit_decorator is before


def test_a_loop_that_cannot_be_compiled_leaves_numba_as_it_was() -> None:
    """After a failed compilation, Numba's replaced internals are restored."""

    @compiled
    def wrong(number: int) -> int:
        return int(number.nothing)  # type: ignore[attr-defined]

    before = templates._OverloadFunctionTemplate._get_jit_decorator
    with pytest.raises(numba.TypingError):
        wrong(1)
    assert templates._OverloadFunctionTemplate._get_jit_decorator is before

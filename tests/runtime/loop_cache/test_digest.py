"""Tests that the digest changes exactly with the machine code."""

from __future__ import annotations

import importlib
import os
import py_compile
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined
from bitfold.runtime.loop_cache import digest as loop_digest
from bitfold.runtime.loop_cache.digest import digest_of, loops_within

SOURCE = """
import numpy as np
FACTOR = 2.0
OFFSET = 7
TABLE = np.arange(3)

@inlined
def innermost(x):
    return x + OFFSET

@compiled
def inner(x):
    return innermost(x) * FACTOR + TABLE[0]

@compiled(fastmath={"contract", "reassoc"})
def outer(x):
    '''The outer loop.'''
    return inner(x) + 1
"""


#: A module that loops use, and the same with another constant and on other lines.
RULES = "def allowed(x):\n    return x in {'a', 'b', 'c'} and len(x[1:3]) < 7\n"
OTHER_RULES, MOVED_RULES = RULES.replace("7", "8"), f"# A comment.\n\n{RULES}"


def _outer(source: str) -> Any:
    space: dict[str, Any] = {
        "__name__": "bitfold.made_up",
        "compiled": compiled,
        "inlined": inlined,
    }
    exec(source, space)  # noqa: S102 - our own text
    return space["outer"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("FACTOR = 2.0", "FACTOR = 3.0"),
        ("np.arange(3)", "np.arange(1, 4)"),
        ("+ 1", "+ 2"),
        ("(x) * FACTOR", "(x) - FACTOR"),
        ("OFFSET = 7", "OFFSET = 8"),
        ("x + OFFSET", "x - OFFSET"),
        ('{"contract", "reassoc"}', '{"contract"}'),
        ("@compiled\ndef inner", "@compiled(inline='always')\ndef inner"),
    ],
)
def test_a_change_within_reach_changes_the_digest(before: str, after: str) -> None:
    """A changed global, array, option or called loop changes the digest, like the loop's code."""
    assert digest_of(_outer(SOURCE)) != digest_of(_outer(SOURCE.replace(before, after)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("The outer loop.", "The loop outside."),
        ("import numpy", "# A comment, and a line further down.\n\nimport numpy"),
        ("FACTOR = 2.0", "FACTOR = 2.0\nOTHER = 5\n"),
    ],
)
def test_a_change_without_effect_leaves_the_digest(before: str, after: str) -> None:
    """Docstrings, comments, line numbers and unused names do not change the digest."""
    assert digest_of(_outer(SOURCE)) == digest_of(_outer(SOURCE.replace(before, after)))


def test_an_outer_functions_variable_counts() -> None:
    """Loops made in a function with different values have different digests."""

    def make(step: int) -> Any:
        @compiled
        def advance(x: int) -> int:
            return x + step

        return advance

    assert digest_of(make(1)) != digest_of(make(2))
    assert digest_of(make(1)) == digest_of(make(1))


def test_loops_within_are_found_once() -> None:
    """A loop that two other loops call is found once."""
    from bitfold.polytopes.cutting.loops.dense import cut_dense_layers

    outer: Any = cut_dense_layers
    names = [loop.py_func.__qualname__ for loop in loops_within(outer)]
    assert names[0] == "cut_dense_layers"
    assert {"classify", "extend_rows"} <= set(names)
    assert len(set(loops_within(outer))) == len(names)


@pytest.mark.parametrize("seed", ["1", "2"])
def test_processes_agree(seed: str) -> None:
    """The digest does not depend on the order in which a process iterates its sets."""
    from bitfold.kolmogorov.sums.fused.kernels import sum_rows

    code = (
        "from bitfold.kolmogorov.sums.fused.kernels import sum_rows\n"
        "from bitfold.runtime.loop_cache.digest import digest_of\n"
        "print(digest_of(sum_rows))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest_of(sum_rows)


def test_an_object_of_another_kind_enters_with_its_modules_source() -> None:
    """An intrinsic's digest includes the source of its module, which makes its machine code."""
    from bitfold.runtime.borrowed_arrays import borrowed

    function = types.FunctionType((lambda: 0).__code__, {}, "made_up")
    function.__module__ = "bitfold.polytopes.made_up"
    described = loop_digest._described(borrowed, function)
    assert loop_digest._source_digest("bitfold.runtime.borrowed_arrays") in described
    assert loop_digest._described(np.sqrt, function).startswith("numpy")


def _digest_of_bytecode(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The digest of a module of which bytecode alone is installed."""
    folder.mkdir()
    (folder / "made_up_rules.py").write_text(source)
    py_compile.compile(str(folder / "made_up_rules.py"), str(folder / "made_up_rules.pyc"))
    (folder / "made_up_rules.py").unlink()
    with monkeypatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.delitem(sys.modules, "made_up_rules", raising=False)
        importlib.import_module("made_up_rules")
        return loop_digest._source_digest.__wrapped__("made_up_rules")


def test_bytecode_counts_where_no_source_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module without source enters with its constants and instructions, not with its lines."""
    rules, other, moved = (
        _digest_of_bytecode(source, tmp_path / str(number), monkeypatch)
        for number, source in enumerate((RULES, OTHER_RULES, MOVED_RULES))
    )
    assert rules == moved
    assert rules != other


def test_a_slice_counts_by_its_ends() -> None:
    """Python 3.14 makes constants of slices, in which another end is another value."""
    function = types.FunctionType((lambda: 0).__code__, {}, "made_up")
    first, second = (loop_digest._described(slice(1, end), function) for end in (3, 4))
    assert first != second

"""Functions that are compiled into the loops that call them."""

from __future__ import annotations

from typing import Any

from numba import njit
from numba.core import event

from bitfold.runtime.inlining import inlined


class _Compiled(event.Listener):
    """Notes the names of compiled functions."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def on_start(self, event: Any) -> None:
        self.names.append(event.data["dispatcher"].py_func.__name__)

    def on_end(self, event: Any) -> None:
        del event


def test_a_function_is_compiled_into_its_caller() -> None:
    """The function is compiled into its caller once, although a literal 0 has its own type."""

    @inlined
    def doubled_plus(total: int, number: int) -> int:
        return 2 * total + number

    # Not cached on disk, so that each run of the test compiles it.
    @njit
    def binary(digits: int) -> int:
        total = 0
        for digit in range(digits):
            total = doubled_plus(total, digit & 1)
        return total

    call: Any = binary
    noted = _Compiled()
    event.register("numba:compile", noted)  # type: ignore[no-untyped-call] # Numba leaves it untyped
    try:
        assert call(4) == 0b0101 == doubled_plus(2, 1)
    finally:
        event.unregister("numba:compile", noted)  # type: ignore[no-untyped-call] # Numba leaves it untyped
    assert noted.names.count("doubled_plus") == 1

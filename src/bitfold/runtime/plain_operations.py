"""Asking modules for their plain form: slower operations of PyTorch that a trace can follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_IS_PLAIN: ContextVar[bool] = ContextVar("bitfold_plain_operations", default=False)


@contextmanager
def plain_operations() -> Iterator[None]:
    """Let modules that have a plain form use it while the block lasts.

    >>> with plain_operations():
    ...     uses_plain_operations()
    True
    """
    token = _IS_PLAIN.set(True)
    try:
        yield
    finally:
        _IS_PLAIN.reset(token)


def uses_plain_operations() -> bool:
    """Whether a module should compute with piecewise linear operations that a trace can follow.

    >>> uses_plain_operations()
    False
    """
    return _IS_PLAIN.get()

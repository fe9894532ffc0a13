"""Lack of memory, as an error that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bitfold.errors import PolytopeError

# Parts of the messages of PyTorch's allocator, whose errors have no type of their own.
_ALLOCATOR = ("can't allocate memory", "not enough memory")


@contextmanager
def room_for_polytopes() -> Iterator[None]:
    """Turn a lack of memory into a PolytopeError.

    Raises:
        PolytopeError: there is not enough memory.

    >>> with room_for_polytopes():
    ...     raise MemoryError
    Traceback (most recent call last):
    bitfold.errors.PolytopeError: Cannot find polytopes: expected memory for them, got too little...
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(part in str(error) for part in _ALLOCATOR):
            raise
        raise PolytopeError(
            "Cannot find polytopes: expected memory for them, got too little. Choose a smaller "
            "domain, or a smaller max_polytopes to be told sooner."
        ) from None

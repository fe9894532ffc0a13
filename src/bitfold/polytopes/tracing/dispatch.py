"""Watching the operations of PyTorch."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


# TorchDispatchMode carries no annotations: the `no-untyped-call` here are its own.
class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode that sees each operation, and does not import PyTorch's compiler for that.

    The import takes more than a second; only programs that compile modes need it.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()  # type: ignore[no-untyped-call]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


def is_label(operation: Any) -> bool:
    """Whether an operation only labels others for the profiler, as parallel modules do."""
    return str(operation._schema.name).startswith("profiler::")


@contextmanager
def without_compiling() -> Iterator[None]:
    """Run compiled parts of a module as they were before: a watch sees none of their operations."""
    if "torch._dynamo" not in sys.modules:  # nothing was compiled, and the import takes a second
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield

"""Names of a package that are imported when they are first used (PEP 562)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from bitfold.runtime.strangers.current_folder import standing_somewhere


class _LazyPackage(ModuleType):
    """A package in which no submodule hides a public name.

    The import system binds each submodule to its package. Without this class, importing the
    submodule ``bitfold.polytopes.partition`` would replace the function of that name.
    """

    def __setattr__(self, name: str, value: object) -> None:
        is_hidden = isinstance(value, ModuleType) and name in self.__dict__.get("__all__", ())
        if not is_hidden:
            super().__setattr__(name, value)


def lazy_names(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package.

    The names are those that the stub ``__init__.pyi`` beside ``file`` imports, so that type
    checkers and the running program read one list. Submodules are found too.

    Source: PEP 562; Scientific Python, SPEC 1, "Lazy Loading of Submodules and Functions".

    Args:
        package: ``__name__`` of the package.
        file: ``__file__`` of its ``__init__.py``.

    Raises:
        ImportError: the stub is not installed.

    Example:
        >>> import bitfold
        >>> "Config" in bitfold.__all__, "Config" in dir(bitfold), bitfold.Config.__name__
        (True, True, 'Config')
    """
    modules = names_in_stub(_read_stub(Path(file).with_suffix(".pyi")))
    this = sys.modules[package]
    this.__class__ = _LazyPackage

    def get(name: str) -> Any:
        if name in modules:
            with standing_somewhere():
                value = getattr(import_module(modules[name]), name)
            setattr(this, name, value)
            return value
        if not name.startswith("_") and find_spec(f"{package}.{name}") is not None:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        return sorted({*this.__dict__, *modules})

    return get, names, sorted(modules)


def _read_stub(stub: Path) -> str:
    try:
        return stub.read_text(encoding="utf-8")
    except OSError:
        raise ImportError(
            f"Cannot import bitfold: expected {stub}, got none. Bundle all of its files beside its "
            "modules, such as with `--collect-all bitfold` of PyInstaller."
        ) from None


def names_in_stub(text: str) -> dict[str, str]:
    """Return the module of each name that a stub imports.

    Example:
        >>> names_in_stub("from bitfold.errors import RunError, ShapeError")
        {'RunError': 'bitfold.errors', 'ShapeError': 'bitfold.errors'}
    """
    found: dict[str, str] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {alias.name: node.module for alias in node.names}
    return found

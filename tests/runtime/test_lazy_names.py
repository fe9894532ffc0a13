"""Packages that import their names at first use."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import bitfold
from bitfold.runtime.lazy_names import lazy_names, names_in_stub

ROOT = Path(bitfold.__file__).parent
STUBS = sorted(ROOT.rglob("__init__.pyi"))


def package_of(stub: Path) -> str:
    """Return the dotted name of a stub's package."""
    return ".".join(["bitfold", *stub.parent.relative_to(ROOT).parts])


@pytest.mark.parametrize("stub", STUBS, ids=package_of)
def test_every_name_of_a_stub_is_what_its_module_defines(stub: Path) -> None:
    """``__all__`` of stub and package agree, and each name is its module's own object."""
    package = importlib.import_module(package_of(stub))
    text = stub.read_text(encoding="utf-8")
    (declared,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
    )
    modules = names_in_stub(text)
    assert sorted(declared) == package.__all__ == sorted(modules)
    for name, module in modules.items():
        assert getattr(package, name) is getattr(importlib.import_module(module), name)
        assert name in dir(package)


def test_a_submodule_does_not_hide_the_function_of_its_name() -> None:
    """``bitfold.polytopes.partition`` is the function, after imports in any order."""
    code = (
        "import inspect, bitfold.polytopes.partition\n"
        "from bitfold.polytopes import partition\n"
        "assert inspect.isfunction(partition)\n"
        "assert bitfold.polytopes.partition is bitfold.partition is partition"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_submodules_are_found_without_an_import_of_their_own() -> None:
    """After ``import bitfold``, ``bitfold.kolmogorov.fit_predictor`` is found."""
    code = "import bitfold; print(bitfold.kolmogorov.fit_predictor.__name__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout == "fit_predictor\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The error names the package and the attribute; ``import *`` and ``hasattr`` work."""
    assert not hasattr(bitfold, "nonsense")
    with pytest.raises(AttributeError, match="module 'bitfold' has no attribute 'nonsense'"):
        _ = bitfold.nonsense  # type: ignore[attr-defined] # it has none
    with pytest.raises(ImportError):
        importlib.import_module("bitfold.nonsense")
    names: dict[str, object] = {}
    exec("from bitfold import *", names)  # noqa: S102 - a fixed text
    assert set(bitfold.__all__) <= set(names)
    assert inspect.isclass(names["Config"])


def test_a_stub_that_is_missing_is_named(tmp_path: Path) -> None:
    """A bundle without the stubs is told what it lacks, in one line."""
    (tmp_path / "__init__.py").touch()
    with pytest.raises(ImportError, match=r"^Cannot import bitfold: expected .*__init__\.pyi, got"):
        lazy_names("tests", str(tmp_path / "__init__.py"))

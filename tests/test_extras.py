"""The tests run with what their own extra installs, and nothing else."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
#: Folders of modules that are part of the repository.
OURS = {"bitfold", "tests", "benchmarks", "studies", "tools"}
#: What the package and the extra `test` install, and what these need themselves, as imported.
INSTALLED = {
    "PIL", "av", "filelock", "hypothesis", "jinja2", "llvmlite", "markupsafe", "matplotlib",
    "mpmath", "numba", "numpy", "packaging", "pytest", "rich", "safetensors", "scipy", "starlette",
    "torch", "tqdm", "uvicorn", "websockets",
}  # fmt: skip


def test_what_tests_load_needs_no_other_extra() -> None:
    """Benchmarks and tools whose functions are tested import rare libraries where they use them."""
    wanted = {
        (path.relative_to(REPOSITORY).as_posix(), name)
        for path in loaded_by_tests()
        for name in names_at_import(path)
    }
    known = INSTALLED | OURS | set(sys.stdlib_module_names)
    assert {(path, name) for path, name in wanted if name.split(".")[0] not in known} == set()


def loaded_by_tests() -> set[Path]:
    """All files of tests, and what they load outside the package, directly or not."""
    found: set[Path] = set()
    waiting = list((REPOSITORY / "tests").rglob("*.py"))
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [file for name in names_at_import(path) for file in files_of(name)]
    return found


def files_of(name: str) -> Iterator[Path]:
    """The files of a module of the repository and of the packages that it lies in."""
    parts = name.split(".")
    if parts[0] not in OURS:
        return
    path = REPOSITORY.joinpath(*parts)
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            yield file


def names_at_import(path: Path) -> Iterator[str]:
    """Names of modules that a file imports when it is imported, with those that may be modules."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)

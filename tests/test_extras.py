"""The tests run with what their own extra installs, and nothing else."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parents[1]
#: Folders of modules that are part of the repository.
OURS = {"bitfold", "tests", "benchmarks", "studies", "tools"}
#: Names by which projects are imported that have others.
IMPORTED_AS = {"pillow": "PIL", "pytest-xdist": "xdist"}
#: What the packages need themselves that tests load too, as imported.
INDIRECT = {"llvmlite", "mpmath", "packaging"}


def installed() -> set[str]:
    """What the package and the extra `test` install on every Python, as imported."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    waiting, names = [*project["dependencies"], *extras["test"]], set(INDIRECT)
    while waiting:
        wanted = Requirement(waiting.pop())
        if wanted.name == "bitfold":
            waiting += [one for extra in wanted.extras for one in extras[extra]]
        elif wanted.marker is None:
            names.add(IMPORTED_AS.get(wanted.name, wanted.name.replace("-", "_")))
    return names


def test_what_tests_load_needs_no_other_extra() -> None:
    """Benchmarks and tools whose functions are tested import rare libraries where they use them."""
    wanted = {
        (path.relative_to(REPOSITORY).as_posix(), name)
        for path in loaded_by_tests()
        for name in names_loaded(path)
    }
    known = installed() | OURS | set(sys.stdlib_module_names)
    assert {(path, name) for path, name in wanted if name.split(".")[0] not in known} == set()


def test_imports_within_the_functions_of_tests_count() -> None:
    """Only what is imported behind `pytest.importorskip` may be missing."""
    local = "def test_it():\n    import skimage.metrics\n"
    skipped = 'def test_it():\n    pytest.importorskip("skimage.metrics")\n    import skimage\n'
    assert list(names_in(local, is_test=True)) == ["skimage.metrics"]
    assert list(names_in(skipped, is_test=True)) == list(names_in(local, is_test=False)) == []


def loaded_by_tests() -> set[Path]:
    """All files of tests, and what they load outside the package, directly or not."""
    found: set[Path] = set()
    waiting = list((REPOSITORY / "tests").rglob("*.py"))
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [file for name in names_loaded(path) for file in files_of(name)]
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


def names_loaded(path: Path) -> Iterator[str]:
    """Names of modules that a file imports: a test at any time, others when they are imported."""
    text = path.read_text(encoding="utf-8")
    return names_in(text, is_test=path.is_relative_to(REPOSITORY / "tests"))


def names_in(text: str, *, is_test: bool) -> Iterator[str]:
    """Names of modules that a source imports, with those that may be modules.

    Args:
        text: the source.
        is_test: whether functions count too, but for what `pytest.importorskip` asks for.
    """
    waiting: list[ast.AST] = [ast.parse(text)]
    skipped = set(re.findall(r'importorskip\("(\w+)', text)) if is_test else set()
    found: list[str] = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif is_test or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)
    return (name for name in found if name.split(".")[0] not in skipped)

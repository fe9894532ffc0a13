"""The package's import layers, and calls and statements that its source must not contain."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import bitfold

ROOT = Path(bitfold.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
#: Stubs of packages that import their names at first use.
STUBS = sorted(ROOT.rglob("*.pyi"))

#: Each layer and the other layers that it may import.
GROUND = {"errors", "runtime"}
DOMAINS = {"targets", "networks", "kolmogorov", "polytopes", "audit", "bounds"}
BELOW_TRAINING = GROUND | {"entropy_coding"} | DOMAINS
BELOW_EXPERIMENTS = BELOW_TRAINING | {"model_file", "render", "training", "recording"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "runtime": {"errors"},
    "entropy_coding": GROUND,
    **dict.fromkeys(DOMAINS, GROUND | {"entropy_coding"}),
    "model_file": BELOW_TRAINING,
    "render": BELOW_TRAINING,
    "training": BELOW_TRAINING | {"model_file"},
    "recording": BELOW_TRAINING | {"model_file", "render", "training"},
    "experiments": BELOW_EXPERIMENTS,
    "studio": BELOW_EXPERIMENTS | {"experiments"},
    "cli": BELOW_EXPERIMENTS | {"experiments", "studio"},
}
ALLOWED["__main__"] = {"cli", "runtime"}
ALLOWED["__init__"] = set(ALLOWED) - {"cli", "__main__", "recording"}
#: Training never draws during a run; a finished run may draw its own metrics on request.
EXCEPTIONS = {"training.lineage.run": {"render"}}
MOST_FILES = 15
#: Folders that are still to be divided, and their number of files.
KNOWN_LARGE: set[str] = set()
LARGEST_FILE, LONGEST_FUNCTION = 400, 40


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_of(path: Path) -> str:
    """The dotted name of a file's module below the package, such as ``training.run``."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def layer_of(module: str) -> str:
    """Return the first part of a module's name below the package."""
    return module.split(".", maxsplit=1)[0]


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module in full, wherever it is imported, and whether at run time.

    Imports below ``if TYPE_CHECKING`` do not happen at run time.
    """
    tree = parsed(path)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    package = ["bitfold", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(tree):
        at_run_time = id(node) not in for_types
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_run_time) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if is_module(inner) else base), at_run_time


def is_module(name: str) -> bool:
    """Whether a dotted name is a module or package of bitfold."""
    path = ROOT.parent.joinpath(*name.split("."))
    return name.startswith("bitfold.") and (path.is_dir() or path.with_suffix(".py").is_file())


@pytest.mark.parametrize("path", [*FILES, *STUBS], ids=module_of)
def test_no_import_goes_up_or_across(path: Path) -> None:
    """Each layer imports only itself and layers below, in type-only and local imports too."""
    layer = layer_of(module_of(path))
    assert layer in ALLOWED, f"{layer} is a layer that this test does not know"
    for name, _ in imports_of(path):
        if name == "bitfold":
            pytest.fail(f"{module_of(path)} imports the whole package")
        if name.startswith("bitfold."):
            other = layer_of(name.removeprefix("bitfold."))
            allowed = ALLOWED[layer] | EXCEPTIONS.get(module_of(path), set()) | {layer}
            assert other in allowed, f"{module_of(path)} imports {name}"


def test_no_modules_and_no_folders_import_each_other_in_a_circle() -> None:
    """Neither the files nor the subfolders of any folder import each other in a circle."""
    graph: dict[str, set[str]] = {}
    for path in FILES:
        if path.name == "__init__.py":
            continue
        module = module_of(path)
        for name, _ in imports_of(path):
            if not name.startswith("bitfold."):
                continue
            one, other = siblings(module, name.removeprefix("bitfold."))
            if one != other:
                graph.setdefault(one, set()).add(other)
    assert circles_of(graph) == set()


def siblings(module: str, imported: str) -> tuple[str, str]:
    """The two parts of the innermost common folder in which two modules lie."""
    ours, theirs = module.split("."), imported.split(".")
    depth = 0
    while depth < min(len(ours), len(theirs)) - 1 and ours[depth] == theirs[depth]:
        depth += 1
    return ".".join(ours[: depth + 1]), ".".join(theirs[: depth + 1])


def circles_of(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """Return sets of parts in which each part leads to every other (Warshall 1962)."""
    nodes = sorted(set(graph) | {other for others in graph.values() for other in others})
    reached = {node: set(graph.get(node, ())) for node in nodes}
    for middle in nodes:
        for node in nodes:
            if middle in reached[node]:
                reached[node] |= reached[middle]
    return {
        frozenset(other for other in reached[node] if node in reached[other])
        for node in nodes
        if node in reached[node]
    }


def test_circles_are_found() -> None:
    """Three parts that lead to each other are a circle; a part that leads to them is not."""
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert circles_of(graph) == {frozenset("abc")}
    assert circles_of({"a": {"b"}, "b": {"c"}}) == set()


def test_no_folder_holds_more_than_can_be_read_at_a_glance() -> None:
    """Each folder holds at most fifteen files."""
    counts: dict[str, int] = {}
    for path in FILES:
        folder = path.parent.relative_to(ROOT).as_posix()
        counts[folder] = counts.get(folder, 0) + 1
    assert {folder for folder, count in counts.items() if count > MOST_FILES} == KNOWN_LARGE


def test_training_neither_draws_nor_prints() -> None:
    """Training imports no package for pictures, terminals or programs."""
    kept_out = {"rich", "matplotlib", "av", "PIL", "argparse", "logging", "tensorboard"}
    for path in FILES:
        if layer_of(module_of(path)) != "training":
            continue
        for name, _ in imports_of(path):
            assert name.split(".")[0] not in kept_out, f"{module_of(path)} imports {name}"
        called = {ast.unparse(n.func) for n in ast.walk(parsed(path)) if isinstance(n, ast.Call)}
        assert not called & {"print", "sys.stdout.write", "sys.stderr.write"}, module_of(path)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_nothing_runs_a_strangers_code(path: Path) -> None:
    """No file calls eval, exec or compile, or unpickles."""
    kept_out = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
    for name, _ in imports_of(path):
        assert name.split(".")[0] not in kept_out, name
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"eval", "exec", "compile", "torch.load", "torch.save"}, called
            unsafe = {k.arg for k in node.keywords if ast.unparse(k.value) == "True"}
            assert "allow_pickle" not in unsafe, called


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_files_and_functions_stay_short(path: Path) -> None:
    """Each file and each function stays below its limit of lines."""
    num_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert num_lines <= LARGEST_FILE, f"{module_of(path)} has {num_lines} lines"
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            start = node.body[0]
            has_docstring = ast.get_docstring(node) is not None
            first = (start.end_lineno or 0) + 1 if has_docstring else node.lineno
            length = node.end_lineno - first + 1
            assert length <= LONGEST_FUNCTION, f"{module_of(path)}.{node.name} has {length} lines"


def test_a_packages_init_only_hands_names_on() -> None:
    """An init holds a docstring, imports and ``__all__``, or takes its names from its stub."""
    from_stub = "__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)"
    for path in [*FILES, *STUBS]:
        if path.stem != "__init__":
            continue
        for node in parsed(path).body:
            is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            is_names = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            is_names |= ast.unparse(node) == from_stub
            is_handed_on = isinstance(node, ast.Import | ast.ImportFrom)
            assert is_docstring or is_names or is_handed_on, f"{path}:{node.lineno}"

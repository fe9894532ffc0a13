"""The predictors and targets that options name, read from their source without importing PyTorch.

A class is an option if it declares an ``option_name`` in a file of its folder. Help texts and
configurations read the names here; `registry` imports the classes. Where bytecode alone is
installed, modules are imported to read the names, and PyTorch with them.
"""

import ast
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple


class DeclaredOption(NamedTuple):
    """A class that options name.

    Attributes:
        name: in options.
        module: dotted name of its module.
        class_name: name of the class in the module.
        attributes: its own class attributes that are literals, by name.
    """

    name: str
    module: str
    class_name: str
    attributes: Mapping[str, Any]


def declared_options(folder: Path, package: str) -> Mapping[str, DeclaredOption]:
    """Find the options in the files of a folder, by name.

    Args:
        folder: of the files.
        package: dotted name of the folder.

    Returns:
        In the order of ``option_rank``, then of names.
    """
    found: list[DeclaredOption] = []
    for file in pkgutil.iter_modules([str(folder)]):
        module = f"{package}.{file.name}"
        source = _source_of(file, module)
        found += _imported_options(module) if source is None else _options_of(source, module)
    found.sort(key=lambda option: (option.attributes.get("option_rank", 100), option.name))
    return MappingProxyType({option.name: option for option in found})


def _source_of(file: pkgutil.ModuleInfo, module: str) -> str | None:
    """The source of a module that is not imported; None where bytecode alone is installed."""
    finder: Any = file.module_finder
    source: str | None = finder.find_spec(module).loader.get_source(module)
    return source


def _imported_options(module: str) -> Iterator[DeclaredOption]:
    loaded = import_module(module)
    for name, kind in inspect.getmembers(loaded, inspect.isclass):
        attributes = {key: value for key, value in vars(kind).items() if _is_literal(key, value)}
        option = attributes.get("option_name")  # that of an abstract class is None
        if kind.__module__ == module and option is not None:
            yield DeclaredOption(option, module, name, attributes)


def _is_literal(name: str, value: object) -> bool:
    """Whether a class attribute is one that a literal in the source gives, not Python itself."""
    if name.startswith("__"):
        return False
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError):
        return False


def _options_of(source: str, module: str) -> Iterator[DeclaredOption]:
    if "option_name = " not in source:
        return
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            attributes = dict(_literals(node))
            if "option_name" in attributes:
                yield DeclaredOption(attributes["option_name"], module, node.name, attributes)


def _literals(node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    for item in node.body:
        if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
            try:
                yield item.targets[0].id, ast.literal_eval(item.value)
            except ValueError:
                continue  # computed from other names


_KOLMOGOROV = Path(__file__).parents[1]

PREDICTOR_OPTIONS = declared_options(_KOLMOGOROV / "predictors", "bitfold.kolmogorov.predictors")
"""Weight predictors by their names in options."""

TARGET_OPTIONS = declared_options(
    _KOLMOGOROV / "grid" / "soft_assignment", "bitfold.kolmogorov.grid.soft_assignment"
)
"""Targets by their names in options."""

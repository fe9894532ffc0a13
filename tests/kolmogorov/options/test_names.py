"""Names of options, from sources or from bytecode."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitfold.kolmogorov.options.names import declared_options
from tests.bytecode_copies import copy_as_bytecode

#: A folder of options: one with a rank, a base without a name, and one that has a file to itself.
KINDS = """
class Base:
    option_name: object = None

class Plain(Base):
    option_name = "plain"
    option_rank = 2
    is_exact = 1 + 1 == 2
"""
FIRST = """
from made_up_kinds.kinds import Base

class First(Base):
    option_name = "first"
    option_rank = 1
    option_settings = ("shape", "kind")
    kinds = frozenset(option_settings)

    def forward(self):
        "Return nothing."
"""


@pytest.mark.parametrize("has_sources", [True, False])
def test_options_are_found_in_sources_and_in_bytecode(
    has_sources: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classes that declare a name are found by rank, with their modules and literals."""
    sources, package = tmp_path / "sources", tmp_path / "made_up_kinds"
    sources.mkdir()
    for name, text in {"__init__": "", "kinds": KINDS, "first": FIRST}.items():
        (sources / f"{name}.py").write_text(text)
    if has_sources:
        sources.rename(package)
    else:
        copy_as_bytecode(sources, package)
        monkeypatch.syspath_prepend(tmp_path)
    found = declared_options(package, "made_up_kinds")
    assert [(option.module, option.class_name) for option in found.values()] == [
        ("made_up_kinds.first", "First"),
        ("made_up_kinds.kinds", "Plain"),
    ]
    assert list(found) == ["first", "plain"]
    assert dict(found["first"].attributes) == {
        "option_name": "first", "option_rank": 1, "option_settings": ("shape", "kind")
    }  # fmt: skip
    assert found["plain"].attributes["option_rank"] == 2

"""The versions that pyproject.toml allows are the versions that the tests use."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
REQUIREMENTS = [
    Requirement(line)
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
]


def pinned(name: str) -> dict[str, set[str]]:
    """Return each package's versions in a file of constraints; some depend on Python's version."""
    versions: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        if line and not line.startswith("#"):
            found = Requirement(line)
            (pin,) = found.specifier
            assert pin.operator == "=="
            versions.setdefault(canonicalize_name(found.name), set()).add(pin.version)
    return versions


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda item: item.name)
def test_the_oldest_version_that_is_allowed_is_tested(requirement: Requirement) -> None:
    """The oldest allowed version of each package is the version of `make test-oldest`."""
    (lowest,) = (part.version for part in requirement.specifier if part.operator == ">=")
    (tested,) = pinned("constraints-oldest.txt")[canonicalize_name(requirement.name)]
    assert [int(part) for part in tested.split(".")][: lowest.count(".") + 1] == [
        int(part) for part in lowest.split(".")
    ]


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-newest.txt"])
@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda item: item.name)
def test_pinned_versions_are_allowed(requirement: Requirement, name: str) -> None:
    """The pinned versions of development, and the newest ones, are allowed."""
    for version in pinned(name)[canonicalize_name(requirement.name)]:
        assert requirement.specifier.contains(version)

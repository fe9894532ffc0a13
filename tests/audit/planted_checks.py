"""What the tests of planted cuts ask of each."""

from __future__ import annotations

from typing import Any


def assert_named_at_its_lines(found: tuple[set[int], Any], file: str) -> None:
    """The places named are the marked lines of a file and no others."""
    lines, sites = found
    assert {site.file for site in sites} == {file}
    assert {site.line for site in sites} == lines, sites


def assert_operation_named(found: tuple[set[int], Any], operation: str, mechanism: str) -> None:
    """An operation is named, by what happened to the graph there."""
    named = {site.operation: site.mechanism for site in found[1]}
    assert mechanism in named[operation]

"""Assertions about the cut sites of a planted cut."""

from __future__ import annotations

from typing import Any


def assert_named_at_its_lines(found: tuple[set[int], Any], file: str) -> None:
    """Assert that the audit names exactly the marked lines of a file."""
    lines, sites = found
    assert {site.file for site in sites} == {file}
    assert {site.line for site in sites} == lines, sites


def assert_operation_named(found: tuple[set[int], Any], operation: str, mechanism: str) -> None:
    """Assert that the audit names an operation and how it cut the graph."""
    named = {site.operation: site.mechanism for site in found[1]}
    assert mechanism in named[operation]

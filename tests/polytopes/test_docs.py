"""The examples on the page about polytopes run unchanged."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "polytopes.md"


def test_the_examples_of_the_page_on_polytopes_run() -> None:
    """Each example prints the text on the page, also the refusal of a smooth network."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    found = doctest.testfile(str(PAGE), module_relative=False, optionflags=flags)
    assert found.attempted > 12
    assert found.failed == 0

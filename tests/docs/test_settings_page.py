"""The page that lists all settings."""

from __future__ import annotations

from tools.settings_page import PAGE, settings_page


def test_the_page_lists_the_settings_as_they_are() -> None:
    """The page of settings is what `python -m tools.settings_page` writes now."""
    assert PAGE.read_text(encoding="utf-8") == settings_page()


def test_units_are_listed() -> None:
    """A setting with a unit names the unit on the page, as in the help."""
    rows = {line.split("`")[1]: line for line in settings_page().splitlines() if "| `--" in line}
    assert "| pixels | `1024` |" in rows["--size"]
    assert "| epochs | `100` |" in rows["--checkpoint-interval"]
    assert "`mdl`, `bits:N` |  |  |" in rows["--kolmogorov-weight"]

"""The page of pictures beside other formats."""

from benchmarks.pictures.formats_page import PAGE, TEMPLATE, without_parts


def test_parts_without_cells_are_left_out() -> None:
    """A part goes with its heading; the others stay."""
    template = TEMPLATE.read_text(encoding="utf-8")
    without = without_parts(template, {"photographs"})
    assert "Photographs" not in without
    assert "## Drawings" in without
    assert without.count("## ") == template.count("## ") - 1
    assert without_parts(template, set()) == template


def test_the_page_has_no_empty_part() -> None:
    """Nothing stands between a heading and the next one."""
    assert "Not measured" not in PAGE.read_text(encoding="utf-8")

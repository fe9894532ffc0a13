"""Tables of measurements in the docs, written by the command that measures."""

from __future__ import annotations

from pathlib import Path


def replace_block(page: Path, block: str, text: str) -> None:
    """Replace the text between ``<!-- block -->`` and ``<!-- end of block -->`` in a page.

    Args:
        page: Markdown with both marks, each on a line of its own.
        block: the name in the marks.
        text: the new text between the marks.
    """
    whole = page.read_text(encoding="utf-8")
    head, opening, rest = whole.partition(f"<!-- {block} -->\n")
    _, closing, tail = rest.partition(f"<!-- end of {block} -->\n")
    if not (opening and closing):
        raise ValueError(f"Cannot quote numbers in {page}: it has no block {block!r}.")
    ended = text if text.endswith("\n") else text + "\n"
    page.write_text(f"{head}{opening}{ended}{closing}{tail}", encoding="utf-8")
    print(f"Quoted the numbers in {page.name}.")

"""Shows the picture of each example on its page in the gallery."""

from __future__ import annotations

import re
from typing import Any

_THUMBNAIL = re.compile(r'sphinx_gallery_thumbnail_path = "(.+)"')


def add_picture(app: Any, name: str, source: list[str]) -> None:
    """Put an example's picture before its code, on pages that sphinx-gallery made.

    Args:
        app: Sphinx.
        name: of the page.
        source: its text, changed in place.
    """
    example = app.srcdir.parent / "examples" / f"{name.removeprefix('gallery/')}.py"
    if not name.startswith("gallery/") or not example.exists():
        return
    found = _THUMBNAIL.search(example.read_text(encoding="utf-8"))
    code = ".. GENERATED FROM PYTHON SOURCE LINES"
    if found is not None and code in source[0]:
        head, code_mark, rest = source[0].rpartition(code)
        source[0] = (
            f"{head}.. image:: /{found[1]}\n   :alt: Picture of this example\n\n{code_mark}{rest}"
        )


def setup(app: Any) -> dict[str, bool]:
    """Listen to the pages as they are read."""
    app.connect("source-read", add_picture)
    return {"parallel_read_safe": True}

"""The widget itself; tests_libraries has it with anywidget."""

from __future__ import annotations

import pytest

from bitfold.errors import StudioError
from bitfold.studio import Widget
from bitfold.studio.notebook import widget


def test_without_anywidget_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without anywidget, one line names the extra to install."""
    monkeypatch.setattr(widget, "_HAS_ANYWIDGET", False)
    with pytest.raises(StudioError, match=r"Install bitfold\[notebook\]\.$") as caught:
        Widget("ring")  # type: ignore[arg-type] # it does not come to that
    assert "\n" not in str(caught.value)


def test_what_cannot_be_shown_is_named() -> None:
    """The error for another object names it and the objects that can be shown."""
    with pytest.raises(StudioError, match="expected a session, a run or a partition, got int"):
        widget.page_of(3, lambda data: None)

"""Rectangles of a frame."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitfold.render.frame.class_grid import arrange_class_grid
from bitfold.render.frame.layout import FrameLayout, PanelBox, Rect, arrange_frame

SIDES = st.integers(16, 2100)


def rectangles(layout: FrameLayout) -> list[Rect]:
    """Return all rectangles that a painter fills."""
    boxes = [box for boxes in layout.slices for box in boxes]
    return [
        *(box.room for box in boxes),
        *(box.title for box in boxes),
        *layout.captions,
        layout.legend,
        layout.key,
    ]


@given(
    width=SIDES, height=SIDES, spans=st.lists(st.integers(1, 2), min_size=1, max_size=7),
    num_slices=st.integers(1, 4), has_captions=st.booleans(),
)  # fmt: skip
def test_rectangles_are_disjoint_and_inside(
    width: int, height: int, spans: list[int], num_slices: int, has_captions: bool
) -> None:
    """At any size, no text overlaps a panel or other text, and all lie in a frame of even size."""
    layout = arrange_frame(
        width, height, spans, num_slices, has_captions=has_captions, num_keys=len(spans)
    )
    assert layout.width % 2 == layout.height % 2 == 0
    boxes = rectangles(layout)
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    for box in boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.right <= layout.width
        assert box.bottom <= layout.height


@given(width=SIDES, height=SIDES, num_panels=st.integers(1, 7), num_slices=st.integers(1, 3))
def test_panels_keep_the_size_asked_for(
    width: int, height: int, num_panels: int, num_slices: int
) -> None:
    """Panels have exactly the given size, and the legend has room for its lines."""
    layout = arrange_frame(width, height, [1] * num_panels, num_slices)
    for boxes in layout.slices:
        assert [(box.room.width, box.room.height) for box in boxes] == [
            (width, height)
        ] * num_panels
    rows = -(-16 // layout.legend_columns)
    assert layout.legend.height >= rows * layout.text_px
    assert layout.legend.width >= 10 * layout.text_px


@pytest.mark.parametrize(("width", "height"), [(64, 64), (256, 256), (1024, 1024), (2048, 2048)])
def test_square_panels_of_a_regression_stand_side_by_side(width: int, height: int) -> None:
    """Three square panels form one row."""
    layout = arrange_frame(width, height, [1, 1, 1])
    assert len({box.room.y for box in layout.slices[0]}) == 1


def test_wide_panels_stand_below_each_other() -> None:
    """Panels of 8:1 form a column, so that the frame is not one thin strip."""
    layout = arrange_frame(2048, 256, [1, 1, 1])
    assert len({box.room.x for box in layout.slices[0]}) == 1
    assert layout.width < 3 * layout.height


def test_each_slice_has_a_row() -> None:
    """Three slices of a clip form three rows with their captions above."""
    layout = arrange_frame(256, 256, [1, 1, 1], 3, has_captions=True)
    assert [len({box.room.y for box in boxes}) for boxes in layout.slices] == [1, 1, 1]
    tops = [boxes[0].room.y for boxes in layout.slices]
    assert tops == sorted(set(tops))
    for caption, boxes in zip(layout.captions, layout.slices, strict=True):
        assert caption.bottom <= boxes[0].title.y


@pytest.mark.parametrize("side", [64, 256, 1024, 2048])
def test_text_is_legible_on_a_screen(side: int) -> None:
    """If a frame fills a screen of 1920 x 1080, its text has 12 pixels or more."""
    layout = arrange_frame(side, side, [1, 1, 1])
    shown = min(1.0, 1920 / layout.width, 1080 / layout.height)
    assert layout.text_px * shown >= 12


@given(width=SIDES, height=SIDES, num_classes=st.integers(1, 64))
def test_class_cells_are_disjoint_and_inside(width: int, height: int, num_classes: int) -> None:
    """Cells and labels of up to 64 classes do not overlap, and labels have room for text."""
    room = Rect(4, 20, width, height)
    grid = arrange_class_grid(PanelBox(Rect(4, 0, width, 20), room), num_classes, width / height)
    assert len(grid.cells) == num_classes
    assert len(grid.labels) in {0, num_classes}
    assert min(grid.cells[0].width, grid.cells[0].height) >= 1
    boxes = [*grid.cells, *grid.labels]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    for box in boxes:
        assert box.x >= room.x
        assert box.y >= room.y
        assert box.right <= room.right
        assert box.bottom <= room.bottom

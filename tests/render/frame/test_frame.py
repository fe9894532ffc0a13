"""Frames of regressions and classifications."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitfold.errors import RenderError
from bitfold.render import FramePainter, Scene, Slice
from bitfold.render.colours import (
    BLUE,
    BLUISH_GREEN,
    FOLD_COLOUR,
    PAPER,
    VERMILLION,
    probability_colours,
)
from bitfold.render.frame.layout import Rect
from bitfold.render.frame.line_compositing import thickened

NO_POINTS = np.zeros((0, 2))
LEGEND = [("epoch", "12"), ("task loss", "0.0231"), ("", ""), ("shape", "[10]*8")]
RED_GREEN_BLUE = np.diag([255, 255, 255]).astype(np.uint8)


def scene(height: int = 48, width: int = 48, **more: object) -> Scene:
    """A grey scene without points."""
    picture = np.full((height, width, 3), 90, dtype=np.uint8)
    return Scene(picture, NO_POINTS, NO_POINTS, **more)  # type: ignore[arg-type] # any field


def painter(
    scenes: list[Scene],
    side: int = 48,
    task: Literal["regression", "classification"] = "regression",
) -> FramePainter:
    """A painter of square panels."""
    return FramePainter(scenes, panel_width=side, panel_height=side, task=task)


def piece(values: npt.ArrayLike, side: int = 48, folds: bool = False) -> Slice:
    """A slice of one value everywhere, with a fold along the diagonal or none."""
    outputs = np.atleast_1d(np.asarray(values, dtype=np.float32))
    lines = np.eye(side, dtype=np.bool_) & folds
    return Slice(np.broadcast_to(outputs, (side, side, len(outputs))), lines)


def panel(frame: npt.NDArray[np.uint8], room: Rect) -> npt.NDArray[np.uint8]:
    """The pixels of one panel."""
    return frame[room.window]


@pytest.mark.parametrize(
    ("value", "grey"), [(1.0, 255), (0.0, 0), (0.5, 128), (7.0, 255), (-7.0, 0), (np.nan, 0)]
)
def test_grey_values_are_shown_as_grey(value: float, grey: int) -> None:
    """1 is white, 0 is black, numbers beyond are clipped, and NaN is black."""
    paint = painter([scene()])
    frame = paint.paint([piece(value)], LEGEND)
    for box in paint.layout.slices[0][:2]:
        assert (panel(frame, box.room) == grey).all()


def test_huge_values_are_clipped_without_a_warning() -> None:
    """The output of a network that diverged is drawn."""
    paint = painter([scene()])
    frame = paint.paint([piece(3e38)], LEGEND)
    assert (panel(frame, paint.layout.slices[0][1].room) == 255).all()


def test_red_stays_red() -> None:
    """The first output is red and the third is blue."""
    paint = painter([scene()])
    frame = paint.paint([piece([1.0, 0.5, 0.0])], LEGEND)
    assert (panel(frame, paint.layout.slices[0][1].room) == [255, 128, 0]).all()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_folds_are_vermillion_over_grey_and_only_in_their_panel(value: float) -> None:
    """Folds are visible on black, grey and white; the plain prediction has none."""
    paint = painter([scene()])
    frame = paint.paint([piece(value, folds=True)], LEGEND)
    folded, plain, _ = (panel(frame, box.room) for box in paint.layout.slices[0])
    is_fold = (folded == FOLD_COLOUR).all(axis=-1)
    assert (is_fold == np.eye(48, dtype=np.bool_)).all()
    assert not (plain == FOLD_COLOUR).all(axis=-1).any()


@pytest.mark.parametrize(("values", "ink"), [((1.0, 1.0, 0.2), 0), ((0.1, 0.0, 0.6), 255)])
def test_folds_contrast_with_colours(values: tuple[float, ...], ink: int) -> None:
    """Folds are black on a light prediction and white on a dark one."""
    paint = painter([scene()])
    frame = paint.paint([piece(values, folds=True)], LEGEND)
    folded = panel(frame, paint.layout.slices[0][0].room)
    assert (folded[np.eye(48, dtype=np.bool_)] == ink).all()


def test_many_folds_leave_the_picture_visible() -> None:
    """Folds at every pixel are light; a few folds have their full colour."""
    bright = np.broadcast_to(np.array([1.0, 0.5, 0.5], np.float32), (48, 48, 3))
    shown = []
    for folds in (np.ones((48, 48), np.bool_), np.eye(48, dtype=np.bool_)):
        made = painter([scene()])
        shown.append(
            panel(made.paint([Slice(bright, folds)], LEGEND), made.layout.slices[0][0].room)
        )
    many, few = shown
    assert many[0, 0, 0] > 180
    assert (many == many[0, 0]).all()
    assert few[0, 0, 0] == 0


@pytest.mark.parametrize(("side", "thickness"), [(512, 1), (1024, 2), (2048, 3)])
def test_folds_thicken_with_the_panel(side: int, thickness: int) -> None:
    """A straight fold is one, two or three pixels thick, depending on the panel's size."""
    folds = np.zeros((side, side), dtype=np.bool_)
    folds[:, side // 2] = True
    assert thickened(folds)[side // 4].sum() == thickness
    assert folds.sum() == side


@settings(max_examples=12)
@given(
    width=st.integers(16, 300), height=st.integers(16, 300), num_slices=st.integers(1, 3),
    task=st.sampled_from(["regression", "classification"]), smoothed=st.booleans(),
)  # fmt: skip
def test_frames_keep_one_even_size_and_words_stay_off_the_panels(
    width: int, height: int, num_slices: int, task: Literal["regression"], smoothed: bool
) -> None:
    """A longer legend changes neither the frame's size nor any pixel outside the legend."""
    extra = scene(height, width).picture if smoothed else None
    one = scene(height, width, smoothed=extra, class_colours=RED_GREEN_BLUE, caption="t = 0.5")
    paint = FramePainter([one] * num_slices, panel_width=width, panel_height=height, task=task)
    outputs = np.zeros((height, width, 1 if task == "regression" else 3), dtype=np.float32)
    slices = [Slice(outputs, np.zeros((height, width), dtype=np.bool_))] * num_slices
    first = paint.paint(slices, []).copy()
    long = paint.paint(slices, [("a label of many words", "a value of many words" * 4)] * 40)
    assert first.shape == long.shape == (paint.height, paint.width, 3)
    assert paint.height % 2 == paint.width % 2 == 0
    changed = (first != long).any(axis=-1)
    assert changed.any()
    changed[paint.layout.legend.window] = False
    assert not changed.any()


def test_legend_forgets_what_it_no_longer_says() -> None:
    """A frame does not depend on the frames painted before it."""
    fresh, used = painter([scene()]), painter([scene()])
    used.paint([piece(0.2, folds=True)], [("epoch", "123456789"), ("a", "b"), ("c", "d")])
    used.paint([piece(0.4)], [("epoch", "7"), ("a", "wider than before")])
    expected = fresh.paint([piece(0.3)], [("epoch", "8"), ("a", "c")])
    assert (used.paint([piece(0.3)], [("epoch", "8"), ("a", "c")]) == expected).all()


def test_legend_shows_every_value() -> None:
    """Each of twenty values changes some pixels of its own line."""
    paint = painter([scene()])
    base = [(f"label {number}", "1") for number in range(20)]
    before = paint.paint([piece(0.0)], base).copy()
    seen = np.zeros(before.shape[:2], dtype=np.bool_)
    for number in range(20):
        pairs = [*base[:number], (base[number][0], "8"), *base[number + 1 :]]
        changed = (paint.paint([piece(0.0)], pairs) != before).any(axis=-1)
        assert changed.any()
        assert not (changed & seen).any()
        seen |= changed


def test_classes_are_shown_in_their_colours() -> None:
    """The class of the largest logit is shown, as vermillion, green or blue."""
    for number, colour in enumerate([VERMILLION, BLUISH_GREEN, BLUE]):
        paint = painter([scene(class_colours=RED_GREEN_BLUE)], task="classification")
        logits = [5.0 if number == other else -5.0 for other in range(3)]
        frame = paint.paint([piece(logits, folds=True)], LEGEND)
        boxes = paint.layout.slices[0]
        assert (panel(frame, boxes[3].room) == colour).all()
        folded = panel(frame, boxes[4].room)
        diagonal = np.eye(48, dtype=np.bool_)
        assert (folded[diagonal] == 255).all()
        assert (folded[~diagonal] == colour).all()


def test_class_outputs_are_softmax_probabilities() -> None:
    """Logits 0 and log 3 are drawn as a quarter and three quarters."""
    colours = RED_GREEN_BLUE[:2]
    paint = painter([scene(class_colours=colours)], task="classification")
    frame = paint.paint([piece([0.0, np.log(3.0)])], LEGEND)
    boxes, shown = paint.layout.slices[0], probability_colours()
    assert (panel(frame, boxes[0].room) == shown[64]).all()
    assert (panel(frame, boxes[1].room) == shown[191]).all()


@pytest.mark.parametrize("num_classes", [4, 17, 64])
def test_many_classes_share_a_room(num_classes: int) -> None:
    """Cells of certain and impossible classes show the ends of the map; classes are right."""
    colours = np.random.default_rng(0).integers(0, 255, (num_classes, 3)).astype(np.uint8)
    paint = painter([scene(128, 128, class_colours=colours)], 128, "classification")
    logits = np.full(num_classes, -50.0)
    logits[-1] = 50.0
    frame = paint.paint([piece(logits, 128)], LEGEND)
    boxes = paint.layout.slices[0]
    assert len(boxes) == 4
    shown = panel(frame, boxes[0].room).reshape(-1, 3)
    is_sure = (shown == probability_colours()[255]).all(axis=1).sum()
    is_impossible = (shown == probability_colours()[0]).all(axis=1).sum()
    assert is_impossible == (num_classes - 1) * is_sure > 0
    assert (panel(frame, boxes[1].room) == colours[-1]).all()


def test_missing_logits_are_drawn_without_a_warning() -> None:
    """Infinite and NaN logits give probability 0."""
    paint = painter([scene(class_colours=RED_GREEN_BLUE)], task="classification")
    frame = paint.paint([piece([np.nan, np.inf, -np.inf])], LEGEND)
    assert (panel(frame, paint.layout.slices[0][0].room) == probability_colours()[0]).all()


def test_wide_slices_are_worked_on_in_pieces_without_a_seam() -> None:
    """Each row of a tall picture shows its own class."""
    side = 700
    paint = painter([scene(class_colours=RED_GREEN_BLUE)], side, "classification")
    classes = np.arange(side) * 3 // side
    logits = np.repeat(np.eye(3, dtype=np.float32)[classes][:, None], side, axis=1)
    frame = paint.paint([Slice(logits, np.zeros((side, side), dtype=np.bool_))], LEGEND)
    expected = np.array([VERMILLION, BLUISH_GREEN, BLUE])[classes]
    assert (panel(frame, paint.layout.slices[0][3].room) == expected[:, None]).all()


def test_smoothed_points_have_a_panel_of_their_own() -> None:
    """A fourth panel shows the kernel smoothing, if there is one."""
    smoothed = np.full((4, 4, 3), (10, 200, 30), dtype=np.uint8)
    paint = painter([scene(smoothed=smoothed)])
    frame = paint.paint([piece(0.0)], LEGEND)
    assert len(paint.layout.slices[0]) == 4
    assert (panel(frame, paint.layout.slices[0][3].room) == (10, 200, 30)).all()


def test_captions_are_written_above_their_slices() -> None:
    """Each slice has its caption; without captions there is no room for them."""
    paint = painter([scene(caption="t = 0.25"), scene(caption="t = 0.50")])
    frame = paint.paint([piece(0.0), piece(1.0)], LEGEND)
    first, second = (frame[box.window] for box in paint.layout.captions)
    assert (first != PAPER).any()
    assert (first != second).any()
    assert all(box.height == 0 for box in painter([scene()]).layout.captions)


def test_paint_returns_its_canvas() -> None:
    """The next call overwrites the returned array, as documented."""
    paint = painter([scene()])
    first = paint.paint([piece(0.0)], LEGEND)
    assert paint.paint([piece(1.0)], LEGEND) is first


@pytest.mark.parametrize(
    ("scenes", "side", "task"),
    [
        ([], 48, "regression"),
        ([scene()], 8, "regression"),
        ([scene()], 10_000, "regression"),
        ([scene()], 48, "classification"),
        ([scene(), scene(smoothed=np.zeros((2, 2, 3), np.uint8))], 48, "regression"),
    ],
)
def test_scenes_that_cannot_be_drawn_are_refused(
    scenes: list[Scene], side: int, task: Literal["regression", "classification"]
) -> None:
    """No scene, wrong sizes, no class colours, or smoothing in only some scenes are refused."""
    with pytest.raises(RenderError, match=r"^Cannot .*: expected .*, got .*\. .*\.$"):
        painter(scenes, side, task)


@pytest.mark.parametrize(
    "slices", [[], [piece(0.0)] * 2, [piece(0.0, 47)], [piece([0.0, 1.0])]], ids=len
)
def test_slices_that_do_not_suit_are_refused(slices: list[Slice]) -> None:
    """Slices of the wrong number, size or number of outputs are refused."""
    with pytest.raises(RenderError, match="expected"):
        painter([scene()]).paint(slices, LEGEND)


def test_scenes_of_wrong_arrays_are_refused() -> None:
    """A picture of floats, and points without two columns, are refused."""
    with pytest.raises(RenderError, match="expected picture as uint8"):
        Scene(np.zeros((2, 2, 3)), NO_POINTS, NO_POINTS)  # type: ignore[arg-type] # on purpose
    with pytest.raises(RenderError, match="training points"):
        Scene(np.zeros((2, 2, 3), np.uint8), np.zeros((4, 3)), NO_POINTS)

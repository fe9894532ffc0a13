"""Tests of the grammar of shapes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitfold.errors import ShapeError
from bitfold.networks import check_widths, format_shape, parse_shape

NUMBERS = st.integers(1, 65_536)


@pytest.mark.parametrize(
    ("text", "widths"),
    [
        ("[10]*8", (10,) * 8),
        ("[64,32]*2+[16]", (64, 32, 64, 32, 16)),
        ("[5, 5]", (5, 5)),
        (" [ 5 ,\t5 ] * 2 ", (5, 5, 5, 5)),
        ("[]", ()),
        ("[]*3+[2]", (2,)),
        ("[7,]", (7,)),
        ("([3]+[4]*2)*2", (3, 4, 4, 3, 4, 4)),
        ("[2]*2*3", (2,) * 6),
        ("[065536]", (65_536,)),
        ("[1]*256", (1,) * 256),
    ],
)
def test_shapes_of_the_grammar_are_read(text: str, widths: tuple[int, ...]) -> None:
    """Every form of the grammar gives the widths that the same Python list would have."""
    assert parse_shape(text) == widths


def test_error_names_the_character() -> None:
    """An error names the character, the expected text and an example."""
    with pytest.raises(ShapeError) as caught:
        parse_shape("[10]**8")
    assert str(caught.value) == (
        "Cannot parse shape '[10]**8': expected a count at character 6, got '*'. "
        "Write for example [10]*8 or [64,32]*2+[16]."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected '[' at character 1, got the end"),
        ("   ", "expected '[' at character 4, got the end"),
        ("10", "expected '[' at character 1, got '1'"),
        ("[10", "expected ']' at character 4, got the end"),
        ("[10]8", "expected '+', '*' or the end at character 5, got '8'"),
        ("[10]]", "expected '+', '*' or the end at character 5, got ']'"),
        ("[10 20]", "expected ']' at character 5, got '2'"),
        ("[,]", "expected a width at character 2, got ','"),
        ("[-1]", "expected a width at character 2, got '-'"),
        ("[1.5]", "expected ']' at character 3, got '.'"),
        ("[0]", "expected a width of 1 to 65,536 at character 2, got 0"),
        ("[65537]", "expected a width of 1 to 65,536 at character 2, got 65537"),
        ("[10]*0", "expected a count of at least 1 at character 6, got 0"),
        ("[10]*", "expected a count at character 6, got the end"),
        ("[10]+", "expected '[' at character 6, got the end"),
        ("[1]*257", "expected at most 256 layers at character 5, got more"),
        ("([1]", "expected ')' at character 5, got the end"),
        ("[\u00b2]", "expected a width at character 2"),
        ("[1]*\u0663", "expected a count at character 5"),
        ("__import__('os')", "expected '[' at character 1, got '_'"),
        ("(" * 17 + "[1]" + ")" * 17, "expected at most 16 nested parentheses at character 17"),
        ("[1" + ",1" * 3000 + "]", "expected at most 4,096 characters, got 6,003"),
    ],
)
def test_malformed_shapes_are_refused(text: str, message: str) -> None:
    """Text outside the grammar or its bounds raises an error of one line."""
    with pytest.raises(ShapeError) as caught:
        parse_shape(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    ["[10]*999999999999", "[10]*" + "9" * 4000, "[1]*256*256*256*256", "(" * 4000, "[" * 4000],
)
def test_huge_shapes_are_refused_at_once(text: str) -> None:
    """A short text that asks for a huge network costs nothing."""
    start = time.perf_counter()
    with pytest.raises(ShapeError):
        parse_shape(text)
    assert time.perf_counter() - start < 0.5


def test_repeated_nothing_is_nothing() -> None:
    """A large count of an empty list is allowed, since it makes no layers."""
    assert parse_shape("[]*999999999") == ()


@given(st.text(alphabet="[]()*+, 0123456789x", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any text gives widths within bounds or a ShapeError, and nothing else."""
    try:
        widths = parse_shape(text)
    except ShapeError:
        return
    assert len(widths) <= 256
    assert all(1 <= width <= 65_536 for width in widths)


@given(st.lists(st.sampled_from([3, 10, 64]) | NUMBERS, max_size=12))
def test_format_and_parse_are_inverse(widths: list[int]) -> None:
    """Reading a written shape gives its widths back, and it is never longer than the plain list."""
    text = format_shape(widths)
    assert parse_shape(text) == tuple(widths)
    assert len(text) <= len("[" + ",".join(map(str, widths)) + "]")


@pytest.mark.parametrize(
    ("widths", "text"),
    [
        ([], "[]"),
        ([10] * 8, "[10]*8"),
        ([5, 5], "[5,5]"),
        ([100, 100], "[100]*2"),
        ([64, 32, 64, 32, 16], "[64,32]*2+[16]"),
        ([2] + [10] * 8 + [2], "[2]+[10]*8+[2]"),
    ],
)
def test_format_is_brief(widths: list[int], text: str) -> None:
    """Repetitions are found, at the start and within."""
    assert format_shape(widths) == text


@pytest.mark.parametrize(
    "widths", [[0], [65_537], [1] * 257, [1.0], [True], ["5"], "55", {5}, None, [None]]
)
def test_unfit_widths_are_refused(widths: object) -> None:
    """Widths given as numbers have the same bounds, and must be whole numbers."""
    with pytest.raises(ShapeError):
        check_widths(widths)  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize("text", [None, 10, [10], b"[10]"])
def test_other_types_are_refused(text: object) -> None:
    """Only text can be parsed."""
    with pytest.raises(ShapeError, match="expected text"):
        parse_shape(text)  # type: ignore[arg-type]  # the point of the test

"""The grammar of shapes: the widths of a network's hidden layers as text.

    shape  = term { "+" term }
    term   = factor { "*" count }
    factor = "[" [ width { "," width } [ "," ] ] "]"  |  "(" shape ")"

Widths and counts are decimal numbers of at least 1; white space may stand anywhere between them.
Bounds are checked before anything is built, so a short text cannot ask for a large list.
"""

from collections.abc import Sequence
from typing import Final

from bitfold.errors import ShapeError

MAX_LAYERS: Final = 256
MAX_WIDTH: Final = 65_536
MAX_TEXT_CHARACTERS: Final = 4_096
MAX_NESTING: Final = 16

_DIGITS: Final = frozenset("0123456789")
_EXAMPLE: Final = "Write for example [10]*8 or [64,32]*2+[16]."
# Numbers with more digits are always out of bounds.
_MAX_DIGITS: Final = 9
_SHOWN_CHARACTERS: Final = 60


def parse_shape(text: str) -> tuple[int, ...]:
    """Read the widths of hidden layers from text such as ``[10]*8`` or ``[64,32]*2+[16]``.

    The notation is that of Python lists, but the parser does not use `eval`.

    Args:
        text: at most 4,096 characters; ``[]`` is a network without hidden layers.

    Returns:
        Widths from input to output, in neurons: at most 256 of them, each 1 to 65,536.

    Raises:
        ShapeError: if the text does not parse or is out of bounds; the message names the
            character, counted from 1.

    >>> parse_shape("[64, 32]*2 + [16]")
    (64, 32, 64, 32, 16)
    >>> parse_shape("[10]**8")
    Traceback (most recent call last):
    ...
    bitfold.errors.ShapeError: Cannot parse shape '[10]**8': expected a count at character 6,
    got '*'. Write for example [10]*8 or [64,32]*2+[16].
    """
    if not isinstance(text, str):
        message = f"Cannot parse shape: expected text, got {type(text).__name__}. {_EXAMPLE}"
        raise ShapeError(message)
    return _Parser(text).parse()


def format_shape(widths: Sequence[int]) -> str:
    """Write the widths of hidden layers as the shortest text without parentheses.

    Args:
        widths: at most 256, each 1 to 65,536.

    Returns:
        Text without white space that `parse_shape` reads as the same widths.

    Raises:
        ShapeError: if the widths are out of bounds.

    >>> format_shape([10] * 8), format_shape([64, 32, 64, 32, 16]), format_shape([5, 5])
    ('[10]*8', '[64,32]*2+[16]', '[5,5]')
    """
    layers = check_widths(widths)
    # best[i]: the shortest text for layers[i:]; among equally short ones, that of fewest terms.
    best: list[tuple[int, int, str]] = [(0, 0, "")] * (len(layers) + 1)
    for start in range(len(layers) - 1, -1, -1):
        candidates = []
        for period in range(1, len(layers) - start + 1):
            repeated = layers[start : start + period]
            written = "[" + ",".join(map(str, repeated)) + "]"
            count, end = 1, start + period
            while True:
                term = written if count == 1 else f"{written}*{count}"
                length, num_terms, rest = best[end]
                joint = "+" if rest else ""
                cost = len(term) + len(joint) + length
                # Literal lists win a tie: [5,5] rather than [5]*2.
                candidates.append((cost, num_terms + 1, -period, term + joint + rest))
                if layers[end : end + period] != repeated:
                    break
                count, end = count + 1, end + period
        length, num_terms, _, text = min(candidates)
        best[start] = (length, num_terms, text)
    return best[0][2] or "[]"


def check_widths(widths: Sequence[int]) -> tuple[int, ...]:
    """Check widths against the bounds of the grammar.

    Args:
        widths: at most 256 integers, each 1 to 65,536.

    Returns:
        The same widths as a tuple of int.

    Raises:
        ShapeError: if there are too many widths, or a width is not an integer or out of bounds.

    >>> check_widths([5, 5])
    (5, 5)
    """
    if isinstance(widths, str) or not isinstance(widths, Sequence):
        message = (
            f"Cannot use shape: expected a sequence of widths, got {type(widths).__name__}. "
            "Give for example [10] * 8."
        )
        raise ShapeError(message)
    if len(widths) > MAX_LAYERS:
        message = (
            f"Cannot use shape: expected at most {MAX_LAYERS} layers, got {len(widths)}. "
            "Use fewer layers."
        )
        raise ShapeError(message)
    for layer, width in enumerate(widths, start=1):
        if isinstance(width, bool) or not isinstance(width, int) or not 1 <= width <= MAX_WIDTH:
            message = (
                f"Cannot use shape: expected a width of 1 to {MAX_WIDTH:,} in layer {layer}, "
                f"got {width!r}. Give whole numbers of neurons."
            )
            raise ShapeError(message)
    return tuple(widths)


class _Parser:
    """A recursive descent parser of one text; `_at` is the index of the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def parse(self) -> tuple[int, ...]:
        """Read the whole text as one shape."""
        if len(self._text) > MAX_TEXT_CHARACTERS:
            raise self._error(
                f"at most {MAX_TEXT_CHARACTERS:,} characters", f"{len(self._text):,}", at=None
            )
        widths = self._shape()
        if self._peek():
            raise self._error("'+', '*' or the end", self._shown())
        return widths

    def _shape(self) -> tuple[int, ...]:
        start = self._at
        widths = self._term()
        while self._accept("+"):
            widths += self._term()
            self._check_layers(len(widths), start)
        return widths

    def _term(self) -> tuple[int, ...]:
        widths = self._factor()
        while self._accept("*"):
            self._peek()
            start = self._at
            count = self._number("a count")
            if count < 1:
                raise self._error("a count of at least 1", "0", start)
            self._check_layers(len(widths) * count, start)
            # [] times any count is [], without counting to it
            widths = widths * count if widths else ()
        return widths

    def _factor(self) -> tuple[int, ...]:
        self._peek()
        start = self._at
        if self._accept("("):
            self._depth += 1
            if self._depth > MAX_NESTING:
                raise self._error(f"at most {MAX_NESTING} nested parentheses", "one more", start)
            widths = self._shape()
            self._expect(")")
            self._depth -= 1
            return widths
        if not self._accept("["):
            raise self._error("'['", self._shown())
        widths = self._widths()
        self._expect("]")
        self._check_layers(len(widths), start)
        return widths

    def _widths(self) -> tuple[int, ...]:
        widths: list[int] = []
        while self._peek() != "]":
            start = self._at
            width = self._number("a width")
            if not 1 <= width <= MAX_WIDTH:
                got = self._text[start : self._at]
                raise self._error(f"a width of 1 to {MAX_WIDTH:,}", _shorten(got), start)
            widths.append(width)
            if not self._accept(","):
                break
        return tuple(widths)

    def _number(self, expected: str) -> int:
        if self._peek() not in _DIGITS:
            raise self._error(expected, self._shown())
        start = self._at
        while self._text[self._at : self._at + 1] in _DIGITS:
            self._at += 1
        digits = self._text[start : self._at].lstrip("0")
        return int(digits[: _MAX_DIGITS + 1] or "0")

    def _check_layers(self, num_layers: int, start: int) -> None:
        if num_layers > MAX_LAYERS:
            raise self._error(f"at most {MAX_LAYERS} layers", "more", start)

    def _peek(self) -> str:
        """Skip white space and return the next character, or an empty string at the end."""
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _accept(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._at += 1
        return True

    def _expect(self, character: str) -> None:
        if not self._accept(character):
            raise self._error(f"'{character}'", self._shown())

    def _shown(self) -> str:
        character = self._peek()
        return repr(character) if character else "the end"

    def _error(self, expected: str, got: str, at: int | None = -1) -> ShapeError:
        position = self._at if at == -1 else at
        where = "" if position is None else f" at character {position + 1}"
        return ShapeError(
            f"Cannot parse shape {_shorten(self._text)!r}: expected {expected}{where}, got {got}. "
            f"{_EXAMPLE}"
        )


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."

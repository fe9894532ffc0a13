"""Method 12 in plain Python, after docs/file-format.md; it shares no code with bitfold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.model_file.plain_decoder import Decoder

#: The next state, by the state and by whether the place is odd.
NEXT = ((0, 2), (7, 5), (1, 3), (6, 4), (2, 0), (5, 7), (3, 1), (4, 6))


def tensor(d: Decoder, outer: int, inner: int, together: int) -> list[int]:
    """Read a tensor, column by column."""
    rows, columns = d.used(outer, inner, together, "trellis")
    found, state, in_row = list[int](), 0, inner * together
    for column in range(in_row):
        for row in range(outer):
            number = place = 0
            if rows[row] and columns[column // together]:
                a, b, c = (found[-n] if len(found) >= n else 0 for n in (1, 2, outer))
                place = d.number(a, b, c, "trellis", state % 2)
                number = 2 * place - (state % 2) * ((place > 0) - (place < 0))
            found.append(number)
            if columns[column // together]:
                state = NEXT[state][place % 2]
    return [found[column * outer + row] for row in range(outer) for column in range(in_row)]

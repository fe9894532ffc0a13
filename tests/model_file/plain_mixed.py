"""Method 11 in plain Python, after docs/file-format.md; it shares no code with bitfold."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.model_file.plain_decoder import Decoder

#: By the first word of a chance's name: its first value among 2^16, and its first count.
FIRST = {
    "kind": (22938, 2),
    "near": (22938, 2),
    "line": (45875, 1),
    "sign": (32768, 8),
    "size": (39322, 8),
    "second": (29491, 8),
}
ABOVE_LEVEL = (62259, 62259, 55706, 49152, 26214, 6554, 6554, 6554, 6554)


@cache
def chances_by_logit() -> list[int]:
    """Return the frequency of each logit from -2048 to 2047."""
    from tests.model_file.plain_decoder import ONE, exponential

    largest = 2**16 - 16
    upper = [
        min((ONE << 16) // (ONE + exponential((z << 96) // 256)), largest) for z in range(2049)
    ]
    return [2**16 - one for one in reversed(upper[1:])] + upper[:2048]


@cache
def logit(chance: int) -> int:
    """Return the logit of a chance, by the middle of its sixteenth."""
    middle = chance // 16 * 16 + 8
    below = sum(one < middle for one in chances_by_logit())
    return min(max(below - 2048, -2047), 2047)


class Mixed:
    """Reads tensors of method 11 one after the other."""

    def __init__(self, decoder: Decoder) -> None:
        self.d = decoder
        self.chances = dict[tuple[Hashable, ...], list[int]]()
        self.used_weights, self.size_weights = [45875, 19661, 6554, -6554], [19661, 45875]
        self.levels = {True: 1280, False: 1280}
        self.neurons = list[int]()

    def chance(self, *name: Hashable) -> list[int]:
        """Return the value and the count of a chance."""
        if name[0] == "around":
            assert isinstance(name[1], int)
            return self.chances.setdefault(name, [ABOVE_LEVEL[name[1] + 4], 8])
        if name not in self.chances:
            self.chances[name] = list(FIRST[str(name[0])])
        return self.chances[name]

    def learn(self, chance: list[int], bit: int) -> None:
        """Move a chance towards a bit."""
        pace = 2**17 // (2 * min(chance[1], 255) + 3)
        chance[0] += ((bit * 65535 - chance[0]) * pace) >> 16
        chance[1] += 1

    def plain(self, chance: list[int]) -> int:
        """Read a bit by a single chance."""
        bit = int(self.d.flag(2**16 - min(max(chance[0], 16), 2**16 - 16)))
        self.learn(chance, bit)
        return bit

    def frequency(self, chances: Sequence[list[int]], weights: list[int]) -> int:
        """Return the frequency of 1 by a mixture of chances."""
        total = sum(w * logit(chance[0]) for w, chance in zip(weights, chances, strict=True))
        return chances_by_logit()[min(max(total >> 16, -2047), 2047) + 2048]

    def learn_mixed(self, chances: Sequence[list[int]], weights: list[int], bit: int) -> None:
        """Learn a bit, with the frequency that it has by now."""
        error = bit * 2**16 - self.frequency(chances, weights)
        for i, chance in enumerate(chances):
            weights[i] += (logit(chance[0]) * error * 12) >> 18
            self.learn(chance, bit)

    def besides(self, n: int) -> list[int | None]:
        """Return the flag of a neuron beside each of n columns or numbers."""
        if not self.neurons or n % len(self.neurons):
            return [None] * n
        return [self.neurons[i // (n // len(self.neurons))] for i in range(n)]

    def flags(self, axis: int, besides: Sequence[int | None]) -> list[int]:
        """Read which rows or columns are used."""
        last, found = 1, list[int]()
        for beside in besides:
            last = self.plain(self.chance("line", (axis, last, beside)))
            found.append(last)
        return found

    def tensor(self, outer: int, inner: int, together: int) -> list[int]:
        """Read a tensor."""
        has_rows = outer > 1 and inner * together > 1
        has_columns = inner > 1 and outer * together > 1
        rows = self.flags(0, [None] * outer) if has_rows else [1] * outer
        columns = self.flags(1, self.besides(inner)) if has_columns else [1] * inner
        is_vector = not (has_rows or has_columns)
        in_row, size = inner * together, outer * inner * together
        kinds: list[int | str | None] = ["table"] * size
        if is_vector:
            kinds = list(self.besides(size))
        if has_rows:
            self.neurons = rows
        total, count = self.levels[is_vector], 1
        lines = dict[object, list[int]]()
        numbers = [0] * size
        for i in range(size):
            if not (rows[i // in_row] and columns[i % in_row // together]):
                continue
            level = (total // count + 128) // 256
            around = [numbers[i - n] if i >= n else 0 for n in (1, 2, in_row)]
            own = self.chance("kind", kinds[i])
            of_tensor = lines.setdefault("tensor", [own[0], 24])
            names = ("row", i // in_row), ("column", i % in_row)
            of_lines = [lines.setdefault(name, [of_tensor[0], 3]) for name in names]
            near = self.chance("near", kinds[i], *(n != 0 for n in around))
            mixture = [*of_lines, near, of_tensor], self.used_weights
            is_used = int(self.d.flag(2**16 - self.frequency(*mixture)))
            self.learn_mixed(*mixture, is_used)
            self.learn(own, is_used)
            if is_used:
                numbers[i], digits = self.number(level, around[0], around[2])
                total, count = total + 256 * digits, count + 1
        self.levels[is_vector] = total // count
        return numbers

    def number(self, level: int, before: int, above: int) -> tuple[int, int]:
        """Read a number other than 0, and return its binary digits less one too."""
        signs = [(one > 0) - (one < 0) for one in (before, above)]
        is_negative = self.plain(self.chance("sign", *signs))
        e = 0
        while self.d.flag(2**16 - self.frequency(*self.of_size(e, level))):
            e += 1
        for d in range(e + 1):
            self.learn_mixed(*self.of_size(d, level), int(e > d))
        value = 1
        if e:
            value = 2 + self.plain(self.chance("second", min(max(e - level, -4), 4)))
            value = (value << (e - 1)) + self.d.bits(e - 1)
        return -value if is_negative else value, e

    def of_size(self, e: int, level: int) -> tuple[list[list[int]], list[int]]:
        """Return the chances that a number is larger than e, and their weights."""
        around = self.chance("around", min(max(e - level, -4), 4))
        return [self.chance("size", e), around], self.size_weights

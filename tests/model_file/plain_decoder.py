"""A decoder in plain Python, written from docs/file-format.md; it shares no code with bitfold."""

import math
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise

from tests.model_file import plain_grids, plain_mixed, plain_network, plain_trellis
from tests.model_file.plain_network import as_float, value

ONE = 1 << 96
Sides = tuple[int, ...]


def times(a: int, b: int) -> int:
    """Multiply two fixed-point numbers."""
    return (a * b) >> 96


def exponential(y: int) -> int:
    """Return exp(-y) in fixed point."""
    r, total, term, n = y >> 8, 0, ONE, 1
    while True:
        total += term
        term = -((term * r) >> 96) // n
        n += 1
        if abs(term) <= 1:
            break
    for _ in range(8):
        total = times(total, total)
    return total


@cache
def table(s: int, is_logistic: bool) -> list[int]:
    """Return the frequencies of a scale in order."""
    root = math.isqrt(math.isqrt(math.isqrt(2 ** (s % 8 + 768))))
    octave = s // 8
    scale = (root << octave if octave >= 0 else root >> -octave) + (ONE >> 5)
    h = p = exponential(2**192 // (2 * scale))
    tails: list[int] = []
    while len(tails) < 2 or tails[-2] - tails[-1] >= ONE >> 16:
        tails.append((p << 96) // (ONE + p) if is_logistic else p // 2)
        p = times(times(p, h), h)
    reach = len(tails) - 2
    half = [round_up(tails[d] - tails[d + 1]) for d in range(reach)] + [round_up(tails[reach])]
    return [*reversed(half), 2**16 - 2 * sum(half), *half]


def round_up(q: int) -> int:
    """Return the frequency of a probability."""
    return max(1, ((q << 16) + (ONE >> 1)) >> 96)


class Decoder:
    """Reads symbols."""

    def __init__(self, stream: bytes) -> None:
        self.words = list(struct.unpack(f"<{len(stream) // 2}H", stream))
        self.at = self.left = self.x = 0
        self.means: dict[tuple[object, ...], list[int]] = {}

    def slot(self) -> int:
        """Return the slot of the next symbol."""
        if self.left == 0:
            assert self.at == 0 or self.x == 2**32
            high, middle, low = self.words[self.at : self.at + 3]
            self.x, self.left = (high << 32) + (middle << 16) + low, 2**20
            self.at += 3
        return self.x % 2**16

    def take(self, start: int, frequency: int) -> None:
        """Remove a symbol."""
        self.x = frequency * (self.x >> 16) + self.x % 2**16 - start
        if self.x < 2**32 and self.at < len(self.words):
            self.x, self.at = (self.x << 16) + self.words[self.at], self.at + 1
        self.left -= 1

    def bits(self, n: int) -> int:
        """Read plain bits."""
        value = 0
        while n > 0:
            some = min(n, 16)
            one = self.slot() >> (16 - some)
            self.take(one << (16 - some), 1 << (16 - some))
            value, n = (value << some) + one, n - some
        return value

    def golomb(self, k: int) -> int:
        """Read an exponential Golomb code."""
        z = 0
        while self.bits(1) == 0:
            z += 1
        result: int = ((2**z + self.bits(z) - 1) << k) + self.bits(k)
        return result

    def signed(self, k: int) -> int:
        """Read an exponential Golomb code with a sign."""
        n = self.golomb(k)
        return -(n + 1) // 2 if n % 2 else n // 2

    def flag(self, f: int) -> bool:
        """Read a flag."""
        is_set = self.slot() >= f
        self.take(*((f, 2**16 - f) if is_set else (0, f)))
        return is_set

    def distance(self, s: int, is_logistic: bool = False) -> int:
        """Read a distance by the table of a scale."""
        m = max(0, (s - 40 + 7) // 8)
        tabled = s - 8 * m
        frequencies, slot, start, symbol = table(tabled, is_logistic), self.slot(), 0, 0
        while slot >= start + frequencies[symbol]:
            start, symbol = start + frequencies[symbol], symbol + 1
        self.take(start, frequencies[symbol])
        reach = len(frequencies) // 2 - 1
        u = symbol - reach - 1
        if abs(u) > reach:
            e = self.golomb(max(0, tabled // 8))
            u = u + e if u > 0 else u - e
        return (u << m) + self.bits(m) - 2 ** (m - 1) if m else u

    def flags(self, besides: Sequence[int]) -> list[int]:
        """Read the flags of dead lines, each predicted by its neighbours."""
        seen, before, found = dict[tuple[int, int], list[int]](), 0, list[int]()
        for beside in besides:
            counts = seen.setdefault((before, beside), [0, 0])
            f = ((2 * counts[0] + 1) << 16) // (2 * sum(counts) + 2)
            before = int(self.flag(min(max(f, 1), 2**16 - 1)))
            counts[before] += 1
            found.append(before)
        return found

    def exponents(self, n: int, unit: int) -> list[int]:
        """Read the exponents of the lines that are not dead."""
        most = 120 >> unit
        counts = [max(16 >> (abs(k) << unit >> 3), 1) for k in range(-most, most + 1)]
        found = []
        for _ in range(n):
            ends = [(sum(counts[: k + 1]) << 16) // sum(counts) for k in range(len(counts))]
            k = sum(end <= self.slot() for end in ends)
            self.take(start := ends[k - 1] if k else 0, ends[k] - start)
            found.append((k - most) << unit)
            counts[k] += 32 if unit >= 2 else 64
            if sum(counts) > 2**15:
                counts = [max(count >> 1, 1) for count in counts]
        return found

    def learned(self, *context: object) -> int:
        """Read a bit by the counts of its context."""
        means = self.means.setdefault(context, [2**15, 2**15, 0])
        fast, slow, seen = means
        bit = self.flag(min(max((fast + slow) >> 1, 32), 2**16 - 32))
        target, pace = 0 if bit else 2**16, round(math.log2(seen + 1.5))
        means[0] = fast + ((target - fast) >> min(pace, 5))
        means[1] = slow + ((target - slow) >> min(pace, 8))
        means[2] = min(seen + 1, 255)
        return int(bit)

    def context(self, outer: int, inner: int, together: int) -> list[int]:
        """Read a tensor of method 6."""
        rows, columns = self.used(outer, inner, together)
        in_row = inner * together
        numbers = [0] * (outer * in_row)
        for i in range(len(numbers)):
            if rows[i // in_row] and columns[i % in_row // together]:
                a, b, c = (numbers[i - n] if i >= n else 0 for n in (1, 2, in_row))
                numbers[i] = self.number(a, b, c)
        return numbers

    def used(self, outer: int, inner: int, together: int, *sort: str) -> tuple[list[int], ...]:
        """Read which rows and which columns are used."""
        sides = [1] * outer, [1] * inner
        for side, count in ((0, inner * together), (1, outer * together)):
            last, used = 0, sides[side]
            for i in range(len(used)) if len(used) > 1 and count >= 4 else ():
                last = used[i] = self.learned(*sort, "line", side, last)
        return sides

    def number(self, a: int, b: int, c: int, *sort: object) -> int:
        """Read one number of the tensor by its neighbours; a trellis has contexts of its own."""
        size = min((2 * abs(a) + abs(b) + 2 * abs(c)).bit_length(), 15)
        signs = [0 if n == 0 else 1 if n > 0 else 2 for n in (a, c)]
        if not self.learned(*sort, "zero", size):
            return 0
        is_negative = self.learned(*sort[:1], "sign", *signs)
        e = 0
        while self.learned(*sort, "exponent", size, e):
            e += 1
        value = 1
        before: tuple[int, ...] = ()
        for _ in range(min(2, e)):
            digit = self.learned(*sort[:1], "digit", e, *before)
            value, before = 2 * value + digit, (digit,)
        value = (value << max(e - 2, 0)) + self.bits(max(e - 2, 0))
        return -value if is_negative else value


def decode(
    data: bytes, tensors: Sequence[tuple[Sides, str]] | None, names: Sequence[str] = ()
) -> list[list[float] | None]:
    """Return each tensor's numbers, by given or recipe shapes; None for an absent tensor."""
    assert data[:2] == b"\xb1F"
    version = data[2] // 4
    assert version in {1, 2, 3, 4}
    assert zlib.crc32(data[7:]) == int.from_bytes(data[3:7], "little")
    at = 7 if data[2] & 1 else 11
    if data[2] & 2:
        at = skip_names(data, at)
    d = Decoder(data[at:])
    if data[2] & 1:
        tensors = recipe(d)
        layers = range(0, len(tensors), 2)
        names = [f"layers.{layer}.{leaf}" for layer in layers for leaf in ("weight", "bias")]
    assert tensors is not None
    found = body(d, tensors, names, version)
    assert d.at == len(d.words)
    assert d.x == 1
    return found


def skip_names(data: bytes, at: int) -> int:
    """Return the start of the stream behind the names."""

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value += (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    for _ in range(varint()):
        length = varint()
        at += length
        varint()
        for _ in range(varint()):
            varint()
    return at


def recipe(d: Decoder) -> list[tuple[Sides, str]]:
    """Return the shapes of the network's tensors from the recipe."""
    inputs, outputs = d.golomb(1) + 1, d.golomb(1) + 1
    d.golomb(0)
    final = d.golomb(0)
    octaves = d.golomb(2) + 1 if final // 4 % 2 else 0
    if final // 8 % 2:  # the recipe holds aspect and frames of a picture
        d.golomb(2)
        d.golomb(2)
        if d.golomb(0):
            d.golomb(10)
    if final >= 16:  # the recipe holds a palette
        for _ in range(3 * outputs):
            d.bits(8)
    widths = [inputs * (1 + 2 * octaves)]
    for _ in range(d.golomb(0)):
        width = d.golomb(3) + 1
        widths += [width] * (d.golomb(1) + 1)
    widths.append(outputs)
    shapes = []
    for ins, outs in pairwise(widths):
        shapes += [((outs, ins), "real"), ((outs,), "real")]
    return shapes


def body(
    d: Decoder, tensors: Sequence[tuple[Sides, str]], names: Sequence[str], version: int
) -> list[list[float] | None]:
    """Read methods, grids, predictor and tensors."""
    methods, last = [], dict[bool, int]()
    for shape, _ in tensors:
        sort = len(shape) < 2
        method = last.get(sort, last.get(not sort))
        if method is None or d.flag(15 * 2**12):
            method = d.bits(min(2 + version, 4))
        last[sort] = method
        methods.append(method)
    gridded = [i for i, method in enumerate(methods) if 4 <= method <= 8 or method > 10]
    is_logistic, steps, fixed = plain_grids.grids(d, gridded, tensors, version)
    scaled = [i for i in gridded if methods[i] < 6]
    sent = scales(d, scaled, [i for i in scaled if methods[i] == 5], tensors)
    by_place = coordinate_numbers(d, [i for i in gridded if methods[i] == 7], tensors, names, fixed)
    found: list[list[float] | None] = []
    on_trellis = partial(plain_trellis.tensor, d)
    mixed = plain_mixed.Mixed(d).tensor
    tables: dict[int, Callable[..., list[int]]] = {6: d.context, 11: mixed, 12: on_trellis}
    for i, (shape, kind) in enumerate(tensors):
        outer, inner, *_ = (*shape, 1, 1)
        together, size = math.prod(shape[2:]), math.prod(shape)
        if 8 < methods[i] < 11:
            count = size * (2 if kind == "complex" else 1)
            found.append(plain_grids.counted_plain(d, methods[i], count))
            continue
        if methods[i] < 4:
            found.append(plain(d, methods[i], size * (2 if kind == "complex" else 1)))
            continue
        if methods[i] == 8:
            numbers = plain_grids.counted(d, size)
        elif methods[i] in tables:
            numbers = tables[methods[i]](outer, inner, together)
        elif methods[i] == 7:
            numbers = [by_place(i, n) for n in range(size)]
        else:
            location, by_outer, by_inner = sent[i]
            numbers = []
            for n in range(size):
                row, column = by_outer[n // (inner * together)], by_inner[n // together % inner]
                s = None if row is None or column is None else min(max(row + column, -64), 128)
                numbers.append(location + (0 if s is None else d.distance(s, is_logistic)))
        step, offset = steps.get(i, (None, 0.0))
        values = [value(q, step, fixed, offset) for q in numbers]
        if version > 1 and methods[i] < 9:
            plain_grids.exceptions(d, values)
        found.append(values)
    return found


Exponents = list[int | None]


def scales(
    d: Decoder, scaled: Sequence[int], rowed: Sequence[int], tensors: Sequence[tuple[Sides, str]]
) -> dict[int, tuple[int, Exponents, Exponents]]:
    """Read the location and the exponents of both dimensions, or None for a dead tensor."""
    found: dict[int, tuple[int, Exponents, Exponents]] = {}
    neurons, unit = [0], 3
    has_locations = bool(scaled) and d.bits(1)
    for i in scaled:
        location = d.signed(2) if has_locations else 0
        first, second = (*tensors[i][0], 1, 1)[:2]
        if d.bits(1):
            found[i] = (location, [None] * first, [None] * second)
            continue
        own = d.bits(8) - 128
        sides: list[Exponents] = [[0] * first, [0] * second]
        if i in rowed and min(first, second) > 1:
            before = neurons
            for side, place in enumerate((1, 0) if tensors[i][1] == "transposed" else (0, 1)):
                count = (first, second)[place]
                if d.flag(15 * 2**12):
                    unit = d.bits(2)
                besides = [0] * count
                if side == 1 and count % len(before) == 0:
                    besides = [before[n // (count // len(before))] for n in range(count)]
                flags = d.flags(besides)
                values = iter(d.exponents(flags.count(0), unit))
                sides[place] = [None if flag else next(values) for flag in flags]
                neurons = flags if side == 0 else neurons
        rows = [None if one is None else own + one for one in sides[0]]
        found[i] = (location, rows, sides[1])
    return found


def coordinate_numbers(
    d: Decoder,
    chosen: Sequence[int],
    tensors: Sequence[tuple[Sides, str]],
    names: Sequence[str],
    fixed: tuple[int, float, float] | None,
) -> Callable[[int, int], int]:
    """Read the network of method 7; return a reader of a number by tensor and index."""
    if not chosen:
        return lambda i, n: 0
    if fixed is None:
        bins = d.bits(16) + 1 if d.bits(1) else 256
        first = -(bins // 2)
    else:
        bins, low, high = fixed
        first = -round(-low / ((high - low) / (bins - 1)))
    named = [(names[i], tensors[i][0], tensors[i][1] == "transposed") for i in chosen]
    placed = plain_network.tensors_of(named)
    inputs = plain_network.inputs_of(placed)
    layers = plain_network.read_layers(d, len(inputs), bins)

    def read(i: int, n: int) -> int:
        found = plain_network.coordinates(placed, chosen.index(i), n)
        of_bins = plain_network.masses(layers, [found[number] for number in inputs])
        return first + plain_network.read_bin(d, of_bins)

    return read


def plain(d: Decoder, method: int, count: int) -> list[float] | None:
    """Read numbers that are stored unchanged."""
    if method == 0:
        return None
    if method == 2:
        return [as_float(d.bits(16) << 16) for _ in range(count)]
    raw = [d.bits(16) + (d.bits(16) << 16) for _ in range(count)]
    if method == 1:
        return [as_float(one) for one in raw]
    return [one - 2**32 if one >= 2**31 else one for one in raw]

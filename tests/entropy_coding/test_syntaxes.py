"""Every reader inverts the writer beside it, and counted bits equal written bits."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitfold.entropy_coding.bin_counts import bin_count_bits, read_bin_count, write_bin_count
from bitfold.entropy_coding.contexts.adaptive_bits import get_bit, new_contexts, put_bit
from bitfold.entropy_coding.contexts.numbers import NUM_CONTEXTS, get_used, put_used
from bitfold.entropy_coding.contexts.tensors import ContextReader, ContextWriter
from bitfold.entropy_coding.fixed_point.bins import bin_bits, read_bins, write_bins
from bitfold.entropy_coding.fixed_point.network import (
    MAX_NUMBER,
    WholeNetwork,
    fixed_network,
    layer_shapes,
)
from bitfold.entropy_coding.fixed_point.syntax import (
    parameter_bits,
    read_parameters,
    read_shape,
    shape_bits,
    write_parameters,
    write_shape,
)
from bitfold.entropy_coding.laplace.costs import coded_bits
from bitfold.entropy_coding.laplace.tables import DISTRIBUTIONS, integer_tables, table_bits
from bitfold.entropy_coding.laplace.tensors import (
    one_scale,
    read_numbers,
    tensor_bits,
    write_numbers,
)
from bitfold.entropy_coding.numbers.golomb import golomb_bits
from bitfold.entropy_coding.numbers.plain_bits import get_plain, plain_symbols
from bitfold.entropy_coding.rans.symbols import symbol_bits
from bitfold.entropy_coding.scales.dead_flags import get_dead_flags, put_dead_flags
from bitfold.entropy_coding.scales.exponents import get_exponents, put_exponents
from bitfold.entropy_coding.scales.syntax import read_scales, scale_bits, write_scales
from bitfold.entropy_coding.scales.whole_scales import ALIVE, DEAD, Lines, SentScale, flat_scales
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from tests.entropy_coding.round_trips import round_trip, symbols_of

Ints = NDArray[np.int64]

seeds = st.integers(0, 2**32)
num_bins = st.one_of(st.integers(2, 40), st.sampled_from([256, 1024, 1025, 1500, 65_536]))


@given(number=st.integers(0, 2**62 - 1), more_bits=st.integers(0, 62))
def test_plain_bits(number: int, more_bits: int) -> None:
    """A number of up to 62 bits is read as it was written, and takes its number of bits."""
    width = min(number.bit_length() + more_bits, 62)
    found, num_bits = round_trip(
        lambda writer: writer.write_bits(number, width), lambda reader: reader.read_bits(width)
    )
    assert found == number
    assert num_bits == width


@given(seed=seeds, width=st.integers(1, 16), count=st.integers(0, 50))
def test_arrays_of_plain_bits(seed: int, width: int, count: int) -> None:
    """An array of numbers is read as it was written."""
    numbers = np.random.default_rng(seed).integers(0, 2**width, count)

    def read(reader: StreamReader) -> Ints:
        found = np.empty_like(numbers)
        get_plain(reader.state, reader.words, width, found)
        return found

    symbols = plain_symbols(numbers, width)
    found, num_bits = round_trip(lambda writer: writer.write_symbols(symbols), read)
    assert np.array_equal(found, numbers)
    assert num_bits == width * count


@pytest.mark.parametrize("dtype", ["<f4", "<i4", "<i2", "<u2"])
def test_arrays_of_bytes(dtype: str) -> None:
    """An array is read bit by bit as it was written, NaN included."""
    raw = np.random.default_rng(0).integers(0, 256, 400, dtype=np.uint8)
    values = np.frombuffer(raw.tobytes(), dtype)
    found, num_bits = round_trip(
        lambda writer: writer.write_array(values),
        lambda reader: reader.read_array(dtype, len(values)),
    )
    assert found.tobytes() == values.tobytes()
    assert num_bits == 8 * len(raw)


@given(number=st.integers(0, 2**48), order=st.integers(0, 12))
def test_golomb_numbers(number: int, order: int) -> None:
    """A number is read as it was written, in the bits that are counted."""
    found, num_bits = round_trip(
        lambda writer: writer.write_golomb(number, order),
        lambda reader: reader.read_golomb(order),
    )
    assert found == number
    assert num_bits == golomb_bits(number, order)


@given(number=st.integers(-(2**48), 2**48), order=st.integers(0, 12))
def test_signed_golomb_numbers(number: int, order: int) -> None:
    """A number is read with its sign; small ones of either sign take few bits."""
    found, num_bits = round_trip(
        lambda writer: writer.write_signed(number, order),
        lambda reader: reader.read_signed(order),
    )
    assert found == number
    assert num_bits == golomb_bits(2 * number if number >= 0 else -2 * number - 1, order)


@given(is_set=st.booleans(), zeros=st.integers(1, 2**16 - 1))
def test_flags(is_set: bool, zeros: int) -> None:
    """A flag is read as it was written, in the bits of its probability."""
    found, num_bits = round_trip(
        lambda writer: writer.write_flag(is_set, zeros), lambda reader: reader.read_flag(zeros)
    )
    assert found is is_set
    assert num_bits == pytest.approx(16 - np.log2(2**16 - zeros if is_set else zeros))


@given(count=st.integers(1, 65_536))
def test_bin_counts(count: int) -> None:
    """A number of bins is read as it was written, in the bits that are counted."""
    for bins in (count, 256):
        write = partial(write_bin_count, num_bins=bins)
        found, num_bits = round_trip(write, read_bin_count)
        assert found == bins
        assert num_bits == bin_count_bits(bins)


@given(seed=seeds, count=st.integers(0, 60), share=st.floats(0, 1))
def test_flags_of_dead_lines(seed: int, count: int, share: float) -> None:
    """Flags are read as they were written, whatever flags lie beside them."""
    chance = np.random.default_rng(seed)
    flags: Ints
    beside: Ints
    flags, beside = (chance.random((2, count)) < share).astype(np.int64)
    symbols = symbols_of(put_dead_flags, count, flags, beside)

    def read(reader: StreamReader) -> Ints:
        found = np.zeros_like(flags)
        get_dead_flags(reader.state, reader.words, beside, found)
        return found

    found, _ = round_trip(lambda writer: writer.write_symbols(symbols), read)
    assert np.array_equal(found, flags)


@given(seed=seeds, count=st.integers(0, 200), unit=st.integers(0, 3), most=st.integers(0, 120))
def test_exponents(seed: int, count: int, unit: int, most: int) -> None:
    """Exponents are read as they were written, in any unit."""
    limit = most >> unit
    exponents = np.random.default_rng(seed).integers(-limit, limit + 1, count) << unit
    symbols = symbols_of(put_exponents, count, exponents, unit)

    def read(reader: StreamReader) -> Ints:
        found = np.zeros_like(exponents)
        get_exponents(reader.state, reader.words, unit, found)
        return found

    found, _ = round_trip(lambda writer: writer.write_symbols(symbols), read)
    assert np.array_equal(found, exponents)


def drawn_lines(chance: np.random.Generator, count: int) -> Lines:
    """Draw exponents of rows or columns, some of them dead, in any unit."""
    unit = int(chance.integers(0, 4))
    exponents = chance.integers(-20 >> unit, (20 >> unit) + 1, count) << unit
    return Lines(np.where(chance.random(count) < 0.3, DEAD, exponents), unit)


def drawn_scale(chance: np.random.Generator) -> SentScale:
    """Draw the scale of a tensor: dead, single, or with rows and columns."""
    location = int(chance.choice([0, 0, 1, -7, 2**51, -(2**51)]))
    if chance.random() < 0.2:
        return SentScale(location, DEAD)
    lines: tuple[Lines, ...] = ()
    if chance.random() < 0.7:
        lines = tuple(drawn_lines(chance, int(count)) for count in chance.integers(2, 9, 2))
    return SentScale(location, int(chance.integers(-128, 128)), lines)


@given(seed=seeds, count=st.integers(1, 6), has_locations=st.booleans())
def test_scales(seed: int, count: int, has_locations: bool) -> None:
    """Locations, scales and lines are read as they were written, in the bits that are counted."""
    chance = np.random.default_rng(seed)
    scales = [drawn_scale(chance) for _ in range(count)]
    if not has_locations:
        scales = [scale._replace(location=0) for scale in scales]
    counts = [tuple(len(side.exponents) for side in scale.lines) for scale in scales]
    found, num_bits = round_trip(
        lambda writer: write_scales(writer, scales), lambda reader: read_scales(reader, counts)
    )
    assert num_bits == pytest.approx(scale_bits(flat_scales(scales)), abs=1e-9)
    for one, other in zip(found, scales, strict=True):
        assert one[:2] == other[:2]
        for side, expected in zip(one.lines, other.lines, strict=True):
            assert side.unit == expected.unit
            assert np.array_equal(side.exponents, expected.exponents)


@given(
    seed=seeds,
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)),
    own=st.integers(-70, 135),
    distribution=st.sampled_from(DISTRIBUTIONS),
    is_alone=st.booleans(),
)
def test_numbers_by_laplace_tables(
    seed: int, shape: tuple[int, int, int], own: int, distribution: str, is_alone: bool
) -> None:
    """A tensor is read as it was written, in the bits that both counts say."""
    chance = np.random.default_rng(seed)
    outer, inner, together = shape
    sides = [chance.integers(-30, 31, count) for count in (outer, inner)]
    for side in sides:
        side[chance.random(len(side)) < 0.2] = DEAD
    size, location = outer * inner * together, int(chance.integers(-5, 6))
    scales = one_scale(own, size) if is_alone else (own, sides[0], sides[1], inner, together)
    total = np.full((outer, inner), own) if is_alone else own + np.add.outer(*sides)
    each = np.repeat(total.reshape(-1), together)
    spread = 2.0 ** (each.clip(-64, 128) / 8)
    numbers = location + np.rint(chance.standard_cauchy(size) * spread).clip(-(2**50), 2**50)
    numbers = np.where(each < ALIVE, location, numbers).astype(np.int64)
    model = (location, scales, integer_tables(distribution))

    def read(reader: StreamReader) -> Ints:
        found = np.full_like(numbers, -1)
        read_numbers(reader, found, model, distribution)
        return found

    found, num_bits = round_trip(lambda writer: write_numbers(writer, numbers, model), read)
    assert np.array_equal(found, numbers)
    assert num_bits == pytest.approx(tensor_bits(numbers, model, table_bits(distribution)))
    alive = torch.from_numpy(each >= ALIVE)
    distances, wide = torch.from_numpy(numbers - location), torch.from_numpy(each)
    cost = coded_bits(distances[alive], wide[alive].clamp(-64, 128), distribution)
    assert num_bits == pytest.approx(float((cost.symbols + cost.escapes).sum()))


@given(bits=st.lists(st.integers(0, 1), max_size=60))
def test_adaptive_bits(bits: list[int]) -> None:
    """Bits of two contexts are read as they were written; writer and reader adapt equally."""
    learned = [new_contexts(2), new_contexts(2)]
    out, at = np.empty(len(bits), np.uint32), 0
    for number, bit in enumerate(bits):
        at = put_bit(out, at, learned[0], number % 2, bit)

    def read(reader: StreamReader) -> list[int]:
        return [
            int(get_bit(reader.state, reader.words, learned[1], number % 2))
            for number in range(len(bits))
        ]

    found, _ = round_trip(lambda writer: writer.write_symbols(out[:at]), read)
    assert found == bits
    assert np.array_equal(learned[0], learned[1])


@given(seed=seeds, count=st.integers(0, 40), is_row=st.booleans())
def test_flags_of_used_rows(seed: int, count: int, is_row: bool) -> None:
    """Flags of used rows or columns are read as they were written."""
    flags = np.random.default_rng(seed).integers(0, 2, count)
    out = np.empty(count, np.uint32)
    used = put_used(out, flags, new_contexts(NUM_CONTEXTS), is_row)

    def read(reader: StreamReader) -> Ints:
        found = np.zeros_like(flags)
        get_used(reader.state, reader.words, found, new_contexts(NUM_CONTEXTS), is_row)
        return found

    found, _ = round_trip(lambda writer: writer.write_symbols(out[:used]), read)
    assert np.array_equal(found, flags)


@given(
    seed=seeds,
    shapes=st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5)), min_size=1, max_size=3
    ),
    size=st.sampled_from([1, 3, 1000, 2**51 - 1]),
)
def test_numbers_by_contexts(seed: int, shapes: list[tuple[int, int, int]], size: int) -> None:
    """Consecutive tensors are read as they were written, and counted bits equal written bits."""
    chance = np.random.default_rng(seed)
    tensors = []
    for outer, inner, together in shapes:
        box = chance.integers(-size, size + 1, (outer, inner, together))
        box[chance.random(outer) < 0.3] = 0
        box[:, chance.random(inner) < 0.3] = 0
        tensors.append(box.reshape(-1))

    def write(writer: StreamWriter) -> None:
        contexts = ContextWriter()
        for numbers, shape in zip(tensors, shapes, strict=True):
            contexts.write(writer, numbers, shape)

    def read(reader: StreamReader) -> list[Ints]:
        contexts = ContextReader()
        return [contexts.read(reader, shape) for shape in shapes]

    found, num_bits = round_trip(write, read)
    for one, numbers in zip(found, tensors, strict=True):
        assert np.array_equal(one, numbers)
    counting = ContextWriter()
    symbols = (counting.symbols(*pair) for pair in zip(tensors, shapes, strict=True))
    assert num_bits == pytest.approx(sum(symbol_bits(part) for parts in symbols for part in parts))


@given(
    hidden=st.lists(st.integers(1, 4096), min_size=1, max_size=32),
    bins=num_bins,
    is_known=st.booleans(),
)
def test_shapes_of_fixed_point_networks(hidden: list[int], bins: int, is_known: bool) -> None:
    """Widths and the number of bins are read as they were written, in the bits counted."""
    found, num_bits = round_trip(
        lambda writer: write_shape(writer, hidden, None if is_known else bins),
        lambda reader: read_shape(reader, bins if is_known else None),
    )
    assert found == (hidden, bins)
    assert num_bits == shape_bits(hidden, bins) - (bin_count_bits(bins) if is_known else 0)


def drawn_network(chance: np.random.Generator, bins: int, precision: int) -> WholeNetwork:
    """Draw a network of whole numbers."""
    hidden = chance.integers(1, 6, int(chance.integers(1, 4))).tolist()
    shapes = layer_shapes([int(chance.integers(1, 6)), *hidden, bins])
    tensors = []
    for shape in shapes:
        lowest = int(chance.integers(-MAX_NUMBER, MAX_NUMBER - 2**precision))
        tensors.append(lowest + chance.integers(0, 2**precision, shape))
    steps = chance.integers(0, 256, len(shapes)).tolist()
    return WholeNetwork(tuple(tensors), tuple(steps), precision)


@given(seed=seeds, bins=st.integers(2, 40), precision=st.integers(1, 16))
def test_parameters_of_fixed_point_networks(seed: int, bins: int, precision: int) -> None:
    """Whole numbers and steps are read as they were written, in the bits counted."""
    network = drawn_network(np.random.default_rng(seed), bins, precision)
    shapes = [tensor.shape for tensor in network.tensors]
    found, num_bits = round_trip(
        lambda writer: write_parameters(writer, network),
        lambda reader: read_parameters(reader, shapes),
    )
    assert found.steps == network.steps
    assert found.precision_bits == precision
    for one, tensor in zip(found.tensors, network.tensors, strict=True):
        assert np.array_equal(one, tensor)
    assert num_bits == parameter_bits([tensor.size for tensor in network.tensors], precision)


@given(seed=seeds, bins=num_bins, first=st.integers(-100, 100))
def test_bins_by_fixed_point_networks(seed: int, bins: int, first: int) -> None:
    """Numbers in and beyond the bins are read as they were written, in the bits counted."""
    chance = np.random.default_rng(seed)
    whole = drawn_network(chance, bins, 8)
    network = fixed_network(whole.tensors, whole.steps)
    places = chance.integers(0, 2**16 + 1, (12, int(network.widths[0])))
    numbers = first + chance.integers(-3, bins + 3, 12)

    def read(reader: StreamReader) -> Ints:
        found = np.zeros_like(numbers)
        read_bins(reader, network, places, found, first)
        return found

    found, num_bits = round_trip(
        lambda writer: write_bins(writer, network, places, numbers, first), read
    )
    assert np.array_equal(found, numbers)
    inside = (numbers - first).clip(0, bins - 1)
    beyond = np.abs(numbers - first - inside)[(inside == 0) | (inside == bins - 1)]
    counted = bin_bits(network, places, inside).sum()
    assert num_bits == pytest.approx(counted + sum(golomb_bits(int(far), 0) for far in beyond))

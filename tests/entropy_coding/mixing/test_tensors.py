"""Tensors by mixed predictions: written, read, and counted in the bits that they take."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bitfold.entropy_coding.mixing.tensors import MixedReader, MixedWriter, Shape
from bitfold.entropy_coding.rans.symbols import symbol_bits
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.errors import ModelFileError

Ints = NDArray[np.int64]
SHAPES: list[Shape] = [(5, 7, 1), (5, 1, 1), (6, 5, 9), (6, 1, 1), (1, 6, 1), (20, 1, 4), (1, 1, 1)]
LARGEST = 2**51 - 1


class Counter(StreamWriter):
    """Counts the bits of the symbols that it is given."""

    bits = 0.0

    def write_symbols(self, symbols: NDArray[np.uint32]) -> None:
        """Count symbols before they are appended."""
        self.bits += symbol_bits(symbols)
        super().write_symbols(symbols)


def some_numbers(shape: Shape, seed: int) -> Ints:
    """Return numbers of all sizes, in some rows and columns none."""
    chance = np.random.default_rng(seed)
    numbers = chance.integers(-3, 4, shape) * (chance.random(shape) < 0.4)
    numbers[chance.random(shape[0]) < 0.3] = 0
    numbers[:, chance.random(shape[1]) < 0.3] = 0
    numbers[numbers > 2] = chance.integers(3, 300)
    return numbers.reshape(-1).astype(np.int64)


def written(tensors: list[Ints], shapes: list[Shape]) -> Counter:
    """Return a stream of tensors."""
    stream, writer = Counter(), MixedWriter(shapes)
    for numbers, shape in zip(tensors, shapes, strict=True):
        writer.write(stream, numbers, shape)
    return stream


@pytest.mark.parametrize("seed", range(8))
def test_tensors_are_read_as_they_were_written(seed: int) -> None:
    """Tensors of all shapes, one after the other, come back, up to the largest numbers."""
    tensors = [some_numbers(shape, seed + 10 * at) for at, shape in enumerate(SHAPES)]
    tensors[2][::17] = LARGEST
    tensors[2][1::17] = -LARGEST
    reader = StreamReader(written(tensors, SHAPES).stream(), offset=0)
    found = MixedReader(SHAPES)
    for numbers, shape in zip(tensors, SHAPES, strict=True):
        assert np.array_equal(found.read(reader, shape), numbers)
    reader.finish()


def test_large_tensors_are_coded_in_parts() -> None:
    """A tensor of several parts is read as it was written."""
    shape = (70, 1000, 1)
    numbers = some_numbers(shape, 1)
    reader = StreamReader(written([numbers], [shape]).stream(), offset=0)
    assert np.array_equal(MixedReader([shape]).read(reader, shape), numbers)


@pytest.mark.parametrize("seed", range(4))
def test_the_bits_of_what_is_there_are_those_that_are_written(seed: int) -> None:
    """Bits of numbers and flags add up to those of the symbols."""
    tensors = [some_numbers(shape, seed + 10 * at) for at, shape in enumerate(SHAPES)]
    counter, counted = MixedWriter(SHAPES), 0.0
    for numbers, shape in zip(tensors, SHAPES, strict=True):
        bits, _, of_flags = counter.count(numbers, numbers[None], shape)
        counted += bits.sum() + of_flags
    assert counted == pytest.approx(written(tensors, SHAPES).bits, rel=1e-12)


def test_a_place_has_a_probability_of_one() -> None:
    """The probabilities of all numbers in one place add up to 1, but for those not asked for."""
    shape = (6, 8, 1)
    numbers = some_numbers(shape, 3)
    asked = np.arange(-4095, 4096)[:, None].repeat(len(numbers), axis=1)
    bits, _, _ = MixedWriter([shape]).count(numbers, asked, shape)
    table = numbers.reshape(6, 8)
    is_coded = (table != 0).any(1)[:, None] & (table != 0).any(0)
    masses = np.exp2(-bits).sum(axis=0)
    assert is_coded.any() and not is_coded.all()
    assert masses[is_coded.reshape(-1)] == pytest.approx(1, abs=2e-3)
    assert (bits[4095, ~is_coded.reshape(-1)] == 0).all()
    assert (bits[4096, ~is_coded.reshape(-1)] > 4).all()


def test_smooth_bits_are_on_lines() -> None:
    """The smooth bits are the bits at 0 and at powers of 2 from the usual size on, and on lines
    between these.
    """
    shape = (6, 8, 1)
    numbers = some_numbers(shape, 3)
    asked = np.arange(129)[:, None].repeat(len(numbers), axis=1)
    bits, smooth, _ = MixedWriter([shape]).count(numbers, asked, shape, asked)
    for exact in (0, 64, 128):
        assert np.array_equal(bits[exact], smooth[exact])
    bends = np.abs(np.diff(smooth, n=2, axis=0)) > 1e-9
    (places,) = np.nonzero(bends.any(axis=1))
    assert {4, 8} < set(places + 1) <= {1, 2, 4, 8, 16, 32, 64}
    # Before the first number the usual size is 32.
    assert np.nonzero(bends[:, 0])[0].tolist() == [31, 63]


def test_damage_is_an_error() -> None:
    """Words of noise are refused, or read as other numbers, but never read without an end."""
    chance, num_refused = np.random.default_rng(5), 0
    for _ in range(20):
        reader = StreamReader(chance.bytes(400), offset=0)
        try:
            MixedReader([(40, 50, 1)]).read(reader, (40, 50, 1))
            reader.finish()
        except ModelFileError:
            num_refused += 1
    assert num_refused == 20

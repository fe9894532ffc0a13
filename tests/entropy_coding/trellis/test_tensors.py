"""Tensors on a trellis: written and read."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bitfold.entropy_coding.contexts.tensors import Shape
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.entropy_coding.trellis.states import NEXT, NUM_STATES, number_at, place_of
from bitfold.entropy_coding.trellis.tensors import TrellisReader, TrellisWriter
from bitfold.errors import ModelFileError
from tests.entropy_coding.trellis.paths import is_on_trellis

Ints = NDArray[np.int64]
SHAPES: list[Shape] = [(5, 7, 1), (5, 1, 1), (6, 5, 9), (1, 6, 1), (20, 1, 4), (1, 1, 1), (3, 1, 2)]


def some_numbers(shape: Shape, seed: int) -> Ints:
    """Return numbers on a trellis, of all sizes; without flags, zeros alone leave none out."""
    chance = np.random.default_rng(seed)
    outer, inner, together = shape
    is_zero = chance.random((inner * together, outer)) < 0.5
    is_zero[:, chance.random(outer) < 0.3] = True
    is_zero[np.repeat(chance.random(inner) < 0.3, together)] = True
    sizes = chance.choice([1, 1, 2, 3, 9, 400, 2**50 - 1], is_zero.shape)
    places = np.where(is_zero, 0, sizes * chance.choice([-1, 1], is_zero.shape))
    has_flags = inner > 1 and outer * together >= 4
    found, state = np.zeros_like(places), 0
    for column in range(inner * together):
        group = column // together * together
        if has_flags and not places[group : group + together].any():
            continue
        for row in range(outer):
            found[column, row] = number_at(int(places[column, row]), state & 1)
            state = NEXT[state, places[column, row] & 1]
    return np.ascontiguousarray(found.T).reshape(-1)


@pytest.mark.parametrize("seed", range(8))
def test_tensors_are_read_as_they_were_written(seed: int) -> None:
    """Tensors of all shapes, one after the other, come back, up to the largest numbers."""
    tensors = [some_numbers(shape, seed + 10 * at) for at, shape in enumerate(SHAPES)]
    stream, writer, found = StreamWriter(), TrellisWriter(), TrellisReader()
    for numbers, shape in zip(tensors, SHAPES, strict=True):
        assert is_on_trellis(numbers, shape)
        writer.write(stream, numbers, shape)
    reader = StreamReader(stream.stream(), offset=0)
    for numbers, shape in zip(tensors, SHAPES, strict=True):
        assert np.array_equal(found.read(reader, shape), numbers)
    reader.finish()


def test_large_tensors_are_coded_in_parts() -> None:
    """The state of the trellis goes on from part to part."""
    shape = (70, 1000, 1)
    numbers = some_numbers(shape, 1)
    stream = StreamWriter()
    TrellisWriter().write(stream, numbers, shape)
    reader = StreamReader(stream.stream(), offset=0)
    assert np.array_equal(TrellisReader().read(reader, shape), numbers)
    reader.finish()


def test_each_quantiser_has_its_numbers() -> None:
    """The even quantiser has the even numbers, the odd one 0 and the odd ones."""
    assert [number_at(place, 0) for place in range(-3, 4)] == [-6, -4, -2, 0, 2, 4, 6]
    assert [number_at(place, 1) for place in range(-3, 4)] == [-5, -3, -1, 0, 1, 3, 5]
    for quantiser in (0, 1):
        assert all(place_of(number_at(n, quantiser), quantiser) == n for n in range(-9, 10))


def test_a_number_of_the_other_quantiser_is_not_on_the_trellis() -> None:
    """An odd number at the start, or an even one where the odd quantiser has its turn."""
    assert not is_on_trellis(np.array([1, 0, 0, 0]), (4, 1, 1))
    assert is_on_trellis(np.array([2, 0, 1, 0]), (4, 1, 1))
    assert not is_on_trellis(np.array([2, 0, 2, 0]), (4, 1, 1))


def test_all_states_are_reached_from_two() -> None:
    """Each state has two states before it, and all four quantiser's steps lead on."""
    assert np.array_equal(np.bincount(NEXT.reshape(-1)), np.full(NUM_STATES, 2))


def test_a_damaged_stream_ends_in_an_error() -> None:
    """A number of more than 51 binary digits is refused."""
    stream = StreamWriter()
    TrellisWriter().write(stream, np.array([2**52, 0]), (2, 1, 1))
    reader = StreamReader(stream.stream(), offset=0)
    with pytest.raises(ModelFileError, match="no code of it"):
        TrellisReader().read(reader, (2, 1, 1))

"""Adaptive counts of values: their reader, and the bits that they take."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.entropy_coding.value_counts import (
    GROWTHS,
    MOST_VALUES,
    Values,
    read_counted,
    values_of,
    write_counted,
)
from bitfold.errors import ModelFileError
from tests.entropy_coding.round_trips import round_trip

Ints = NDArray[np.int64]


def order_zero_bits(numbers: Ints, growth: float = 1.0) -> float:
    """Return the bits of an adaptive order-0 code in plain Python, over all values of a range."""
    least, most = int(numbers.min()), int(numbers.max())
    counts, total, bits = dict[int, float](), float(most - least + 1), 0.0
    for number in numbers.tolist():
        bits -= math.log2(counts.get(number, 1.0) / total)
        counts[number] = counts.get(number, 1.0) + growth
        total += growth
    return bits


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 400),
    stride=st.sampled_from([1, 2, 3, 10**6]),
    num_values=st.sampled_from([1, 2, 3, 5, 100, 256, 257, 40_000]),
    least=st.integers(-(2**40), 2**40),
)
def test_numbers_are_read_as_they_were_written(
    seed: int, count: int, stride: int, num_values: int, least: int
) -> None:
    """All numbers come back, and their bits are within 1 % of the count."""
    numbers = least + stride * np.random.default_rng(seed).integers(0, num_values, count)
    found = values_of(numbers)
    assert found is not None
    values, bits = found
    read, num_bits = round_trip(
        lambda writer: write_counted(writer, numbers, values),
        lambda reader: read_counted(reader, count),
    )
    assert read.tolist() == numbers.tolist()
    # The values themselves take the other bits.
    assert bits - 1e-6 <= num_bits <= 1.01 * bits + 4 * 64


@pytest.mark.parametrize("kind", ["normal", "uniform", "few", "one", "long tail"])
@pytest.mark.parametrize("count", [128, 4096])
def test_no_adaptive_code_of_order_0_is_shorter_by_more_than_1_percent(
    kind: str, count: int
) -> None:
    """Counts that grow by 1 (Laplace) or 2 (Krichevsky-Trofimov) save at most 1 %."""
    chance = np.random.default_rng(3)
    made = {
        "normal": np.rint(20 * chance.normal(size=count)),
        "uniform": chance.integers(0, 256, count),
        "few": chance.choice([-100, 0, 1, 55], count),
        "one": np.full(count, 7),
        "long tail": np.rint(chance.standard_t(1.5, count)).clip(-9999, 9999),
    }
    numbers = made[kind].astype(np.int64)
    found = values_of(numbers)
    assert found is not None
    _, num_bits = round_trip(
        lambda writer: write_counted(writer, numbers, found[0]),
        lambda reader: read_counted(reader, count),
    )
    reference = min(order_zero_bits(numbers), order_zero_bits(numbers, 2.0))
    assert num_bits <= 1.01 * reference + 48
    assert (
        abs(found[1] - min(order_zero_bits(numbers, growth) for growth in GROWTHS))
        < 1e-6 * (1 + found[1])
        or kind == "few"
    )  # there the stride leaves out values that the reference counts


def test_too_many_values_are_left_to_other_codes() -> None:
    """More than 2^16 values, or numbers beyond 2^50, are refused and go to other codes."""
    assert values_of(np.array([0, 1, MOST_VALUES])) is None
    assert values_of(np.array([0, 1, MOST_VALUES - 1])) is not None
    assert values_of(np.array([2**50 + 1])) is None


def test_more_values_than_there_may_be_are_damage() -> None:
    """A damaged stream cannot make a reader allocate 2^40 counts."""
    writer = StreamWriter()
    writer.write_signed(0, 4)
    writer.write_golomb(2**40, 6)
    writer.write_golomb(0, 0)
    writer.write_bits(0, 2)
    with pytest.raises(ModelFileError, match="at most 65,536 values"):
        read_counted(StreamReader(writer.stream(), 0), 5)


def test_many_numbers_of_a_tensor_keep_their_counts_from_part_to_part() -> None:
    """Counts carry over from one part of a tensor to the next."""
    numbers = np.random.default_rng(0).integers(-3, 4, 150_000)
    found = values_of(numbers)
    assert found is not None
    assert found[0] == Values(-3, 7, 1, found[0].growth)
    read, num_bits = round_trip(
        lambda writer: write_counted(writer, numbers, found[0]),
        lambda reader: read_counted(reader, len(numbers)),
    )
    assert np.array_equal(read, numbers)
    assert num_bits == pytest.approx(len(numbers) * math.log2(7), rel=2e-3)

"""Tests of sampling."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitfold.errors import SamplingError
from bitfold.targets import Frames, load_target, make_target, sample_split


def strip(num_pixels: Any) -> Any:
    """Make a grey picture with a number of pixels."""
    pixels = (np.arange(num_pixels) % 251).astype(np.uint8)
    return make_target("strip", Frames(pixels.reshape(1, 1, -1, 1)))


@given(
    st.integers(2, 9000),
    st.one_of(st.none(), st.just("all"), st.integers(1, 9000)),
    st.one_of(st.none(), st.integers(1, 9000)),
    st.integers(1, 4096),
    st.integers(0, 2**63),
)
def test_a_split_is_disjoint_and_fits_or_says_why(
    num_pixels: Any, points: Any, validation: Any, batch: Any, seed: Any
) -> None:
    """Parts are disjoint, never empty, inside the picture, and of the asked sizes."""
    target = strip(num_pixels)
    asked = (points if isinstance(points, int) else 1) + (validation or 1)
    options = {"points": points, "validation_points": validation, "batch_size": batch}
    if asked > num_pixels:
        with pytest.raises(SamplingError, match=f"at most {num_pixels} together"):
            sample_split(target, **options, seed=seed)
        return
    split = sample_split(target, **options, seed=seed)
    together = np.concatenate([split.training, split.validation])
    assert together.dtype == np.int64
    assert len(np.unique(together)) == len(together)
    assert together.min() >= 0
    assert together.max() < num_pixels
    assert min(len(split.training), len(split.validation)) >= 1
    if isinstance(points, int):
        assert len(split.training) == points
    elif points is None:
        assert len(split.training) <= 5000
    else:
        assert len(together) == num_pixels
    if validation is not None:
        assert len(split.validation) == validation
    else:
        assert len(split.validation) <= batch


@pytest.mark.parametrize(
    ("num_pixels", "batch", "sizes"),
    [
        (1_000_000, 1024, (5000, 1024)),
        (6024, 1024, (5000, 1024)),
        (6023, 1024, (4999, 1024)),
        (4096, 1024, (3277, 819)),
        (64, 1024, (52, 12)),
        (64, 4, (60, 4)),
        (3, 1024, (2, 1)),
        (2, 1024, (1, 1)),
    ],
)
def test_defaults_shrink_to_fit(num_pixels: int, batch: int, sizes: Any) -> None:
    """5,000 points and a batch, or less of both in a small picture, at least one each."""
    split = sample_split(strip(num_pixels), batch_size=batch, seed=0)
    assert (len(split.training), len(split.validation)) == sizes


def test_the_seed_decides() -> None:
    """The same seed gives the same split in the same order, another seed another one."""
    target = load_target("ring", size=64)
    one, two, other = (sample_split(target, batch_size=128, seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one.training, two.training)
    np.testing.assert_array_equal(one.validation, two.validation)
    assert not np.array_equal(one.training[:100], other.training[:100])
    assert not np.array_equal(one.training, np.sort(one.training))


def test_the_split_is_the_same_on_every_platform() -> None:
    """The first pixels drawn for seed 0 are these; a change would break the comparison of runs."""
    split = sample_split(load_target("ring", size=1024), batch_size=1024, seed=0)
    assert split.training[:4].tolist() == [201787, 459249, 930655, 883217]
    assert split.validation[:4].tolist() == [185387, 353873, 676019, 393990]


def test_points_are_spread_evenly() -> None:
    """Every part of the picture gets its share of points."""
    split = sample_split(load_target("ring", size=64), points=2048, batch_size=512, seed=1)
    counts = np.bincount(split.training // 1024, minlength=4)
    assert counts.min() > 420


def test_only_usable_pixels_are_drawn() -> None:
    """Pixels without a class are never trained on or validated with."""
    target = load_target("ring", size=40, task="classification")
    split = sample_split(target, points="all", batch_size=100, seed=0)
    together = np.sort(np.concatenate([split.training, split.validation]))
    np.testing.assert_array_equal(together, target.usable)
    with pytest.raises(SamplingError, match=f"at most {target.num_usable} together"):
        sample_split(target, points=1600, batch_size=100, seed=0)


@pytest.mark.parametrize(
    "changes", [{"points": 0}, {"validation_points": 0}, {"batch_size": 0}, {"seed": -1}]
)
def test_numbers_below_their_bound_are_refused(changes: Any) -> None:
    """Points and batches are at least 1 and seeds at least 0."""
    with pytest.raises(SamplingError, match="expected at least"):
        sample_split(strip(100), **({"batch_size": 10, "seed": 0} | changes))


def test_one_pixel_cannot_be_split() -> None:
    """A single pixel cannot both train and validate."""
    with pytest.raises(SamplingError, match="at most 1 together"):
        sample_split(strip(1), batch_size=4, seed=0)

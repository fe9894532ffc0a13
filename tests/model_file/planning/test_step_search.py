"""The compiled search for a step against NumPy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bitfold.model_file.planning.step_search import least_count


@given(
    seed=st.integers(0, 2**32),
    num_places=st.integers(1, 70),
    count=st.integers(1, 300),
    num_off=st.integers(0, 9),
    share=st.sampled_from([0.5, 0.9, 1.0]),
)
def test_the_least_count_is_the_one_that_numpy_finds(
    seed: int, num_places: int, count: int, num_off: int, share: float
) -> None:
    """Of all counts the least is found for which enough numbers are near whole ones, or none."""
    chance, most, error = np.random.default_rng(seed), 280, 2.0**-20
    places = chance.integers(0, count + 1, num_places) / count
    places[:num_off] += chance.uniform(-1, 1, len(places[:num_off]))
    chance.shuffle(places)
    counts = np.arange(1, most + 1)
    steps = places[:, None] * counts
    is_near = np.abs(steps - np.rint(steps)) <= counts * error
    fits = (is_near[::4].mean(axis=0) >= share) & (is_near.mean(axis=0) >= share)
    expected = int(counts[fits][0]) if fits.any() else 0
    assert least_count(places, most, error, share) == expected

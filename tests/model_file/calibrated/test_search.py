"""Tests of searching for a limit."""

import pytest

from bitfold.model_file.calibrated.search import first_within


@pytest.mark.parametrize("start", [-20.0, 0.0, 20.0])
@pytest.mark.parametrize("fall", [0.25, 0.5, 2.0])
def test_the_limit_is_nearly_reached(start: float, fall: float) -> None:
    """For any start and slope, the value ends a little below the limit."""
    tried = []

    def value(place: float) -> float:
        tried.append(place)
        return float(1000 + 2.0 ** (-fall * place))

    found = first_within(value, 1500.0, start, 0.4)
    assert found is not None
    assert 1250 < value(found) <= 1500
    assert len(tried) <= 15


def test_a_guess_of_nothing_leads_nowhere() -> None:
    """With a guess of 0 everywhere, a limit is met as without one."""

    def value(place: float) -> float:
        return float(1000 + 2.0 ** (-0.5 * place))

    plain = first_within(value, 1500.0, -20.0, 0.4)
    assert first_within(value, 1500.0, -20.0, 0.4, guess_of=lambda _: 0.0) == plain


def test_a_guess_that_jumps_leads_to_no_place_twice() -> None:
    """Where the guess falls at once, as that of equal weights does, each place is tried once."""
    tried = list[float]()

    def value(place: float) -> float:
        tried.append(place)
        return float(100 * 2.0 ** (-0.5 * place - 0.25))

    found = first_within(value, 100.0, 0.0, 0.4, guess_of=lambda place: 400.0 if place < 0 else 1)
    assert found is not None
    assert 98 < value(found) <= 100
    assert len(set(tried[:-1])) == len(tried) - 1


@pytest.mark.parametrize(("least", "limit"), [(20.0, 10.0), (2.0, 10.0)])
def test_a_value_that_no_longer_changes_ends_the_search(least: float, limit: float) -> None:
    """Outwards of a floor above the limit, or of a ceiling below it, few places are tried."""
    tried = []

    def value(place: float) -> float:
        tried.append(place)
        return least + float(-10.0 < place < -9.0)

    assert (first_within(value, limit, 0.0, 1.0) is None) == (least > limit)
    assert len(tried) < 12


def test_a_limit_that_is_never_met() -> None:
    """If no value meets the limit, the search returns None."""
    assert first_within(lambda _: 10.0, 3.0, 0.0, 1.0) is None

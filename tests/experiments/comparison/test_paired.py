"""The effect of a setting over seeds, against numbers computed by hand."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from bitfold.experiments.comparison.entries import Entry
from bitfold.experiments.comparison.paired import paired_differences
from bitfold.experiments.sweeps.member_end import MemberEnd


def entry(num_bytes: int | None, **settings: object) -> Entry:
    """Return a run of which only the size is known."""
    return Entry("run", settings, MemberEnd("completed", num_bytes=num_bytes), None)


def test_an_interval_is_that_of_a_paired_t_test_of_logarithms() -> None:
    """The interval is SciPy's, and its centre is the geometric mean of the ratios."""
    before, after = (100, 210, 330), (90, 200, 280)
    entries = [entry(b, shape="a", seed=s) for s, b in enumerate(before)]
    entries += [entry(b, shape="b", seed=s) for s, b in enumerate(after)]
    (found,) = paired_differences(entries)
    assert (found.setting, found.before, found.after) == ("shape", "a", "b")
    assert (found.num_seeds, found.num_pairs, found.num_larger) == (3, 3, 0)
    logs = [[math.log(b) for b in some] for some in (after, before)]
    expected = stats.ttest_rel(logs[0], logs[1]).confidence_interval(0.95)
    assert found.low == pytest.approx(math.exp(expected.low))
    assert found.high == pytest.approx(math.exp(expected.high))
    assert found.centre == pytest.approx((90 / 100 * 200 / 210 * 280 / 330) ** (1 / 3))
    assert not found.is_clear  # the interval is wide


def test_pairs_of_a_seed_are_averaged_first() -> None:
    """Two learning rates of a seed are averaged, so that the interval is over seeds alone."""
    entries = [
        entry(100 * 2**lr * 3**shape, shape=shape, learning_rate=lr, seed=seed)
        for shape in (0, 1)
        for lr in (0, 1)
        for seed in range(2)
    ]
    found = {one.setting: one for one in paired_differences(entries)}
    assert found["shape"].centre == pytest.approx(3)
    assert (found["shape"].num_seeds, found["shape"].num_pairs) == (2, 4)
    assert found["learning_rate"].centre == pytest.approx(2)


def test_one_seed_has_no_interval_and_runs_without_a_partner_do_not_count() -> None:
    """One seed gives no interval, and runs without a partner or the number do not count."""
    entries = [entry(100, shape="a", seed=0), entry(50, shape="b", seed=0)]
    entries += [entry(10, shape="a", seed=1), entry(None, shape="b", seed=1)]
    (found,) = paired_differences(entries)
    assert found.centre == pytest.approx(0.5)
    assert (found.low, found.high, found.is_clear) == (None, None, False)
    assert found.num_pairs == 1


@pytest.mark.parametrize(("before", "after"), [(1e100, 5e-324), (5e-324, 1e100)])
def test_ratios_of_extreme_numbers_are_shown(before: float, after: float) -> None:
    """A stranger's errors may be as small as a float can be; their quotient is 0 or infinite."""
    ends = [MemberEnd("completed", error=error) for error in (before, after)]
    entries = [Entry("run", {"shape": n, "seed": 0}, end, None) for n, end in enumerate(ends)]
    (found,) = paired_differences(entries)
    assert math.isfinite(found.centre)
    assert (found.centre > 1) == (after > before)


def test_a_setting_of_many_values_is_left_out() -> None:
    """A setting of nine values, with 36 pairs, is left out."""
    assert paired_differences([entry(100, epochs=n, seed=0) for n in range(9)]) == []
    assert paired_differences([]) == []

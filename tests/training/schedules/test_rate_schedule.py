"""The rate of an epoch."""

from __future__ import annotations

import pytest

from bitfold.training.schedules.rate_schedule import COSINE_END, rate_factor


def test_a_cosine_falls_from_all_to_a_hundredth() -> None:
    """A cosine has half the rate half-way, never rises, and stays at a hundredth after the end."""
    factors = [rate_factor("cosine", 101, epoch) for epoch in range(1, 102)]
    assert factors[0] == 1.0
    assert factors[50] == pytest.approx((1 + COSINE_END) / 2)
    assert factors[-1] == pytest.approx(COSINE_END) == rate_factor("cosine", 101, 500)
    assert factors == sorted(factors, reverse=True)
    assert rate_factor("cosine", 1, 1) == 1.0
    assert rate_factor("constant", 10, 9) == 1.0

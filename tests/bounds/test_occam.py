"""Tests of the bound on the error by a description length."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import bitfold
from bitfold.bounds.occam import inverse_kl

SHARES = st.floats(0, 1)
NATS = st.floats(1e-12, 30)


def exact_kl(share: float, other: Decimal) -> Decimal:
    """Return kl(share || other) in nats, with 60 digits."""
    with localcontext() as context:
        context.prec = 60
        pairs = ((Decimal(share), other), (1 - Decimal(share), 1 - other))
        return sum((p * (p / q).ln() for p, q in pairs if p), Decimal(0))


@given(SHARES, NATS)
@example(0.5, 1e-12)
@example(1e-300, 1e-3)
@example(1 - 2**-53, 1e-9)
def test_the_inverse_is_exact(share: float, nats: float) -> None:
    """The result is the boundary: slightly smaller p has less relative entropy, larger p more."""
    found = Decimal(inverse_kl(share, nats))
    apart = Decimal("1e-12")
    assert share <= found <= 1
    if found + apart < 1:
        assert exact_kl(share, found + apart) >= Decimal(nats)
    if found - apart > Decimal(share):
        assert exact_kl(share, found - apart) <= Decimal(nats)


@pytest.mark.parametrize("nats", [0.0, 1e-15, 1e-3, 0.7, 50.0, math.inf])
def test_without_an_error_it_has_a_closed_form(nats: float) -> None:
    """The bound is 1 - exp(-nats) for a share of 0, and 1 for a share of 1."""
    assert inverse_kl(0.0, nats) == -math.expm1(-nats)
    assert inverse_kl(1.0, nats) == 1.0


def test_known_values() -> None:
    """The bound agrees with a value computed by hand: kl(1/4 || 1/2) = ln(2) - H(1/4), in nats."""
    nats = math.log(2) + 0.25 * math.log(0.25) + 0.75 * math.log(0.75)
    assert inverse_kl(0.25, nats) == pytest.approx(0.5, abs=1e-12)
    # 1,000 bits, no error, 10,000 samples, delta 1 / 20: 1 - exp(-(1,000 ln 2 + ln 20) / 10,000).
    expected = 1 - math.exp(-(1000 * math.log(2) + math.log(20)) / 10_000)
    assert bitfold.bound(1000, 0.0, 10_000) == pytest.approx(expected, abs=1e-14)


@given(SHARES, st.floats(0, 1e5), st.integers(1, 10**7), st.floats(0.001, 0.5))
def test_it_grows_with_bits_error_and_tries_and_shrinks_with_samples(
    share: float, bits: float, number: int, delta: float
) -> None:
    """More bits, more errors, a smaller delta or more tried decoders never lower the bound."""
    found = bitfold.bound(bits, share, number, delta)
    assert share <= found <= 1
    slack = 1e-12
    assert bitfold.bound(bits + 1, share, number, delta) >= found - slack
    assert bitfold.bound(bits, min(1, share + 0.01), number, delta) >= found - slack
    assert bitfold.bound(bits, share, number, delta / 2) >= found - slack
    assert bitfold.bound(bits, share, 2 * number, delta) <= found + slack
    # Trying eight decoders costs three bits, as dividing delta by eight does.
    tried = bitfold.bound(bits, share, number, delta, num_tried=8)
    assert tried == pytest.approx(bitfold.bound(bits + 3, share, number, delta), abs=1e-10)
    assert tried == pytest.approx(bitfold.bound(bits, share, number, delta / 8), abs=1e-10)


def test_it_holds_as_often_as_it_says() -> None:
    """Over repeated draws of coins, the bound fails in at most a share delta of the draws."""
    generator = np.random.default_rng(0)
    true, number, delta = 0.1, 50, 0.2
    drawn = generator.binomial(number, true, 20_000) / number
    limits = {share: bitfold.bound(0, share, number, delta) for share in np.unique(drawn)}
    failed = np.mean([limits[share] < true for share in drawn])
    assert 0 < failed <= delta
    # Leaving out half a dozen bits would break the bound.
    wrong = {share: inverse_kl(share, 0.2 * -math.log(delta) / number) for share in limits}
    assert np.mean([wrong[share] < true for share in drawn]) > delta


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bits": -1}, "bits of 0 or more, got -1"),
        ({"bits": math.nan}, "bits"),
        ({"train_error": 1.5}, "a train_error of 0 to 1, got 1.5"),
        ({"train_error": math.nan}, "train_error"),
        ({"num_samples": 0}, "num_samples"),
        ({"delta": 0.0}, "delta"),
        ({"delta": 1}, "delta"),
        ({"num_tried": 0}, "num_tried"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], message: str) -> None:
    """Each argument out of bounds raises an error that names the expected range."""
    values = {"bits": 100, "train_error": 0.1, "num_samples": 1000} | changes
    with pytest.raises(bitfold.ConfigError, match=message):
        bitfold.bound(**values)

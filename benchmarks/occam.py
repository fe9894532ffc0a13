"""What a model file's size promises of pictures that nobody has seen."""

from __future__ import annotations

import math

# Halving an interval of length 1 so often leaves nothing that a float could tell.
_HALVINGS = 60


def occam_bound(error: float, num_bits: float, num_examples: int, confidence: float) -> float:
    """Return the error that a network has at most, with at least the given probability.

    kl(error || bound) = (num_bits ln 2 + ln(1 / (1 - confidence))) / num_examples, with kl between
    two coins. It holds for all networks at once that a decoder fixed beforehand can give, each by
    a file that begins no other one, if the examples were drawn independently.

    Source: Langford 2005, "Tutorial on practical prediction theory for classification", corollary
    3.5 with a prior of 2^-bits.

    Args:
        error: the share of the examples that the decoded network gets wrong, 0 to 1.
        num_bits: everything that a decoder needs.
        num_examples: that the error is counted on, the network being trained by them.
        confidence: 0 to 1, both excluded.

    >>> round(occam_bound(0.0, 8 * 770, 60_000, 0.95), 4), occam_bound(0.1, 0, 10**9, 0.5) < 0.1001
    (0.0687, True)
    """
    nats = (num_bits * math.log(2) - math.log1p(-confidence)) / num_examples
    low, high = error, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if kl_of_coins(error, middle) > nats:
            high = middle
        else:
            low = middle
    return high


def kl_of_coins(one: float, other: float) -> float:
    """Return the divergence in nats of a coin that shows heads with one chance from another.

    >>> kl_of_coins(0.5, 0.5), round(kl_of_coins(0.0, 0.5), 4), kl_of_coins(0.1, 1.0)
    (0.0, 0.6931, inf)
    """
    return sum(
        part * (math.log(part / whole) if whole else math.inf)
        for part, whole in ((one, other), (1 - one, 1 - other))
        if part
    )

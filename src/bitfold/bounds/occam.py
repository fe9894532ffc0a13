"""A bound on the error on unseen data from the length of a description: Occam's razor."""

from __future__ import annotations

import math

from bitfold.errors import ConfigError

# After this many halvings, an interval within [0, 1] holds no further float64.
_BISECTIONS = 1100


def bound(
    bits: float,
    train_error: float,
    num_samples: int,
    delta: float = 0.05,
    *,
    num_tried: int = 1,
) -> float:
    """Bound a network's error R on all data by the length of the network's description.

    With probability 1 - delta over the draw of the samples, the inequality

        kl(train_error || R) <= (bits ln 2 + ln(num_tried / delta)) / num_samples

    holds for all networks that can be described, and so also for a network that was chosen by the
    samples. kl is the relative entropy of two coins. The conditions are:

    - the samples are independent draws from the distribution that R refers to, and the error of a
      sample lies in [0, 1], for example 1 if its class is wrong;
    - ``train_error`` is the error of the *decoded* network on these samples, unchanged;
    - ``bits`` counts everything that a decoder needs, and the decoder (architecture, family of
      predictors, tables) was fixed before the samples were seen;
    - no description is the beginning of another, so that 2^-bits adds up to at most 1. For files of
      `write_model`, count 8 bits a byte: magic bytes and checksum leave at most one valid file in
      2^54 of each length, which pays for all lengths below 2^54.

    The bound is *vacuous* if it is above the error of guessing.

    Source: Langford (2005), "Tutorial on practical prediction theory for classification", section
    4, the Occam's razor bound by relative entropy; with descriptions as the prior Lotfi et al.
    (2022), "PAC-Bayes compression bounds so tight that they can explain generalization".

    Args:
        bits: length of the description in bits, >= 0; for a file, 8 times its size in bytes.
        train_error: mean error over the samples, 0 to 1.
        num_samples: number of samples, at least 1.
        delta: probability that the bound does not hold, between 0 and 1.
        num_tried: number of decoders among which the samples chose this one, at least 1. Choices
            that only decide *which* description is written (lambda, seeds, when to stop) do not
            count: the bound holds for all descriptions at once.

    Returns:
        The largest R for which the inequality holds, ``train_error`` to 1, to within 1e-12.

    Raises:
        ConfigError: if a number is out of bounds or not finite.

    Example:
        >>> round(bound(8 * 770, train_error=0.02, num_samples=60_000), 4)
        0.1217
    """
    _check("bits of 0 or more", bits, is_right=math.isfinite(bits) and bits >= 0)
    _check("a train_error of 0 to 1", train_error, is_right=0 <= train_error <= 1)
    _check("a num_samples of 1 or more", num_samples, is_right=1 <= num_samples < math.inf)
    _check("a delta between 0 and 1", delta, is_right=0 < delta < 1)
    _check("a num_tried of 1 or more", num_tried, is_right=1 <= num_tried < math.inf)
    nats = bits * math.log(2) + math.log(num_tried) - math.log(delta)
    return inverse_kl(train_error, nats / num_samples)


def inverse_kl(share: float, nats: float) -> float:
    """The largest p for which kl(share || p) is at most ``nats``.

    Bisects p - share, which rounding does not harm. For a share of 0 the result is 1 - exp(-nats).

    Args:
        share: 0 to 1.
        nats: >= 0, also infinite.

    Returns:
        ``share`` to 1.

    Example:
        >>> inverse_kl(0.0, 0.5) == -math.expm1(-0.5)
        True
    """
    if share == 0:
        return -math.expm1(-nats)
    low, high = 0.0, 1 - share
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _kl(share, middle) <= nats:
            low = middle
        else:
            high = middle
    return min(1.0, share + high)


def _kl(share: float, more: float) -> float:
    """kl(share || share + more) for 0 < share, 0 < more < 1 - share."""
    # Differences of logarithms, since the quotient by a tiny share would overflow.
    is_near = more < share
    grown = math.log1p(more / share) if is_near else math.log(share + more) - math.log(share)
    rest = 1 - share
    return -share * grown - rest * math.log1p(-more / rest)


def _check(expected: str, got: float, *, is_right: bool) -> None:
    if not is_right:
        raise ConfigError(f"Cannot bound an error: expected {expected}, got {got}. Change it.")

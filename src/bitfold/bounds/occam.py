"""What a description length says of errors that nobody has seen: Occam's razor as a bound."""

from __future__ import annotations

import math

from bitfold.errors import ConfigError

# Halvings after which an interval within [0, 1] holds no other number of float64.
_BISECTIONS = 1100


def bound(
    bits: float,
    train_error: float,
    num_samples: int,
    delta: float = 0.05,
    *,
    num_tried: int = 1,
) -> float:
    """Bound the error R that a network makes on all data by the length of its description.

    With probability 1 - delta over the draw of the samples, of all networks that can be described,
    and so of any that was chosen by the samples,

        kl(train_error || R) <= (bits ln 2 + ln(num_tried / delta)) / num_samples

    where kl is the relative entropy of two coins. It holds if

    - the samples are independent draws from what R is about, and the error of a sample lies in
      [0, 1], such as 1 if its class is wrong;
    - ``train_error`` is the *decoded* network's, on those samples as they are;
    - ``bits`` counts everything that a decoder needs, and the decoder (architecture, family of
      predictors, tables) was fixed before the samples were seen;
    - no description is the beginning of another, so that 2^-bits adds up to at most 1. Files of
      `write_model` are counted with 8 bits a byte: of all files of a length at most one in 2^54 is
      valid, as magic bytes and checksum are given, which pays for all lengths below 2^54.

    It says nothing (is *vacuous*) where it is above the error of a guess.

    Source: Langford (2005), "Tutorial on practical prediction theory for classification", section
    4, the Occam's razor bound by relative entropy; with descriptions as the prior Lotfi et al.
    (2022), "PAC-Bayes compression bounds so tight that they can explain generalization".

    Args:
        bits: length of the description in bits, >= 0; of a file 8 times its size.
        train_error: mean over the samples, 0 to 1.
        num_samples: how many, at least 1.
        delta: probability that the bound does not hold, between 0 and 1.
        num_tried: of how many decoders this one was chosen by the samples, at least 1. Whatever
            only decides *which* description is written (lambda, seeds, when to stop) need not be
            counted: the bound holds of all descriptions at once.

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
    """The largest p for which kl(share || p) is at most so many nats.

    Source: none, ours: bisection of p - share, in which rounding loses nothing. With a share of 0
    it is 1 - exp(-nats).

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
    # Logarithms of ratios; the quotient of a tiny share would overflow.
    is_near = more < share
    grown = math.log1p(more / share) if is_near else math.log(share + more) - math.log(share)
    rest = 1 - share
    return -share * grown - rest * math.log1p(-more / rest)


def _check(expected: str, got: float, *, is_right: bool) -> None:
    if not is_right:
        raise ConfigError(f"Cannot bound an error: expected {expected}, got {got}. Change it.")

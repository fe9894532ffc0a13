"""A predictor's locations and scales as whole numbers, and the bits in which they are sent."""

import math

import torch
from torch import Tensor

from bitfold.kolmogorov.integer_tables import (
    FREQUENCY_BITS,
    LARGEST_SCALE,
    LEAST_SCALE,
    MAX_DISTANCE,
    PER_OCTAVE,
    coded_bits,
)

#: What is sent for a row or column in which hardly anything but the location lies.
DEAD = -512
#: A row is one if the largest scale in it is at most this: 1/16 + 1/32 of a bin.
LARGEST_DEAD_SCALE = -32
#: Logarithms of scales and of factors are sent within plus and minus this.
LARGEST_FACTOR = 128
#: From this precision on, in bits, scales are sent in eighths of an octave.
FINEST_PRECISION = 8
#: The share of dead ones is sent in parts of 2^8.
SHARE_BITS = 8
SCALE_BITS = 8
#: Order of the exponential Golomb code of a vector's centre.
CENTRE_ORDER = 4


def whole_scales(log_scales: Tensor, precision_bits: int) -> Tensor:
    """Natural logarithms of scales in eighths of an octave, int64.

    Each bit of precision below 8 makes them twice as coarse.
    """
    unit = 2 ** max(0, FINEST_PRECISION - precision_bits)
    whole: Tensor = (log_scales.double() * (PER_OCTAVE / math.log(2) / unit)).round() * unit
    return whole.nan_to_num().clamp(-LARGEST_FACTOR, LARGEST_FACTOR).long()


def whole_bins(locations: Tensor) -> Tensor:
    """Locations or indices in bins, rounded: int64, at most 2^51 in size."""
    limit = MAX_DISTANCE // 2
    return locations.round().nan_to_num(0.0, limit, -limit).clamp(-limit, limit).long()


def summed_scales(*numbers: Tensor) -> Tensor:
    """The scale that factors come to."""
    total = numbers[0]
    for number in numbers[1:]:
        total = total + number
    return total.clamp(LEAST_SCALE, LARGEST_SCALE)


def vector_code(vector: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How whole numbers are best sent: centre, scale, and share of dead ones in 256ths; 0-d int64.

    Source: none, ours. The scale is the most likely one of a Laplace distribution in bins, whose
    mean distance m is h / (1 - h^2) with h = exp(-1 / (2 scale)).

    Args:
        vector: int64 (n,), n > 0.
    """
    is_dead = vector == DEAD
    num_dead = is_dead.sum()
    num_alive = len(vector) - num_dead
    # Dead ones are sorted to the end, so that the median is that of the others.
    ordered = torch.where(is_dead, MAX_DISTANCE, vector).sort().values
    middle = ordered[((num_alive - 1).clamp(min=0) // 2).unsqueeze(0)].squeeze(0)
    centre = torch.where(num_alive > 0, middle, 0)
    distances = torch.where(is_dead, 0, (vector - centre).abs())
    share = (num_dead.double() * 2**SHARE_BITS / len(vector)).round().clamp(max=2**SHARE_BITS - 1)
    share = torch.where(num_dead > 0, share.clamp(min=1), 0)
    return centre, best_scale(distances.sum() / num_alive.clamp(min=1)), share.long()


def best_scale(mean_distance: Tensor) -> Tensor:
    """The most likely scale of distances from the location of that mean: int64, any shape."""
    mean = mean_distance.double().clamp(min=1e-9)
    half = ((1 + 4 * mean * mean).sqrt() - 1) / (2 * mean)
    bins = -0.5 / half.log()
    whole = ((bins - 1 / 32).clamp(min=1e-9).log2() * PER_OCTAVE).round()
    return whole.clamp(LEAST_SCALE, LARGEST_SCALE).long()


def vector_bits(vector: Tensor) -> Tensor:
    """Bits in which whole numbers are sent, as `vector_code` says: 0-d; none if there are none.

    Source: none, ours. First the centre, by a signed exponential Golomb code of order 4, then scale
    and share of dead ones, 8 bits each; then for each number whether it is dead, unless the
    share is 0, and if not, its distance from the centre by the Laplace table of the scale.

    Args:
        vector: int64 (n,); `DEAD` or at most 2^51 in size.
    """
    if len(vector) == 0:
        return torch.zeros((), device=vector.device)
    centre, scale, share = vector_code(vector)
    is_dead = vector == DEAD
    cost = coded_bits(vector - torch.where(is_dead, vector, centre), scale.expand(len(vector)))
    chance = share.to(cost.symbols.dtype) * 2 ** (FREQUENCY_BITS - SHARE_BITS) / 2**FREQUENCY_BITS
    # Without dead ones there is no flag, and its logarithm counts for none.
    flags = torch.where(is_dead, -chance.clamp(min=1e-9).log2(), -(1 - chance).log2())
    alive = torch.where(is_dead, 0, cost.symbols + cost.escapes)
    return (flags + alive).sum() + golomb_bits(centre, CENTRE_ORDER) + SCALE_BITS + SHARE_BITS


def golomb_bits(number: Tensor, order: int) -> Tensor:
    """Bits of a signed number's exponential Golomb code; 0, -1, 1, -2 count as 0, 1, 2, 3."""
    unsigned = torch.where(number < 0, -2 * number - 1, 2 * number)
    return 2 * torch.frexp(((unsigned >> order) + 1).double()).exponent - 1 + order

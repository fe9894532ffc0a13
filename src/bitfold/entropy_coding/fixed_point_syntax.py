"""The coordinate predictor's parameters as whole numbers, and the bits in which they are sent."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.entropy_coding.precision import MAX_PREDICTOR_BITS

Ints = NDArray[np.int64]

#: Bits behind the point of coordinates, hidden values and logits.
FRACTION_BITS = 16
#: A parameter is at most so many steps. Sums over 4,096 inputs then stay below 2^62.
MAX_NUMBER = 2**17
#: In which a tensor's step is sent: code c stands for (8 + c mod 8) * 2^(c // 8 - 31).
STEP_BITS = 8
#: In which the precision of a network is sent, and the lowest number of a tensor.
PRECISION_BITS, LOWEST_BITS = 4, 19
#: Order of the exponential Golomb code of a width.
WIDTH_ORDER = 3
#: So many bins are sent in one bit, others in so many more.
USUAL_BINS, BINS_BITS = 256, 16
#: Under which name `sent_network` gives the codes of steps.
STEPS = "steps"

_FINEST, _EIGHTHS = 31, 8


class FixedNetwork(NamedTuple):
    """A network from coordinates to logits in fixed point, as the compiled loops take it.

    Attributes:
        widths: int64 (layers + 1,): coordinates, hidden layers, bins.
        numbers: int32, layer after layer: weights, inputs by outputs, in steps.
        biases: int64, layer after layer, with `FRACTION_BITS` behind the point.
        factors: int64 (layers,), 8 to 15.
        shifts: int64 (layers,): a step of weights is the factor over 2 to the power of this.
    """

    widths: Ints
    numbers: NDArray[np.int32]
    biases: Ints
    factors: Ints
    shifts: Ints


def sent_network(parameters: Mapping[str, Tensor], precision_bits: int) -> dict[str, Tensor]:
    """Each parameter in whole steps of its tensor, and the codes of the steps.

    Source: none, ours. A step is the shortest of those that can be sent in which the tensor's
    spread is at most 2^precision - 2 steps, so that all numbers lie within 2^precision from the
    lowest, and its largest value at most `MAX_NUMBER` of them.

    Args:
        parameters: floating, by name; what is not finite counts as 0.
        precision_bits: 2 to 16; 32 means 16, as fixed point has no more.

    Returns:
        On the CPU: int64 of the parameters' shapes, and under `STEPS` int64 (tensors,).

    Example:
        >>> found = sent_network({"bias": torch.tensor([0.0, 0.5, -1.0])}, 4)
        >>> found["bias"].tolist(), found[STEPS].tolist()
        ([0, 5, -9], [198])
    """
    lengths, sent, codes = step_lengths(), dict[str, Tensor](), list[int]()
    for name, item in parameters.items():
        values = np.nan_to_num(item.detach().cpu().double().numpy(), posinf=0.0, neginf=0.0)
        spread, largest = float(np.ptp(values)), float(np.abs(values).max())
        precision = min(precision_bits, MAX_PREDICTOR_BITS)
        least = max(spread / (2**precision - 2), largest / MAX_NUMBER)
        codes.append(min(int(np.searchsorted(lengths, least)), len(lengths) - 1))
        numbers = np.rint(values / lengths[codes[-1]]).clip(-MAX_NUMBER, MAX_NUMBER)
        # Only what has diverged beyond the longest step reaches further.
        within = numbers.clip(max=numbers.min() + 2**precision - 1)
        sent[name] = torch.from_numpy(within.astype(np.int64))
    return sent | {STEPS: torch.tensor(codes, dtype=torch.int64)}


@cache
def step_lengths() -> NDArray[np.float64]:
    """What the codes of steps stand for: (256,), ascending."""
    octave, eighth = np.divmod(np.arange(2**STEP_BITS), _EIGHTHS)
    lengths: NDArray[np.float64] = np.ldexp((_EIGHTHS + eighth) * 1.0, octave - _FINEST)
    return lengths


def network_bits(sizes: Sequence[int], precision_bits: int) -> int:
    """Bits in which a network is sent: of each tensor its step, lowest number and numbers.

    The same whatever the parameters are, so that lambda does not change what it weighs against.

    Args:
        sizes: of its tensors.
        precision_bits: see `sent_network`.
    """
    each = min(precision_bits, MAX_PREDICTOR_BITS)
    return PRECISION_BITS + sum(STEP_BITS + LOWEST_BITS + each * size for size in sizes)


def shape_bits(hidden: Sequence[int], num_bins: int) -> int:
    """Bits in which a decoder is told of the hidden layers' widths and of the number of bins.

    The count of layers and each width, less 1, are sent by exponential Golomb codes of order 0 and
    3; one bit says whether there are 256 bins, and 16 how many if not.
    """
    widths = sum(_golomb_bits(width - 1, WIDTH_ORDER) for width in hidden)
    of_bins = 1 + BINS_BITS * (num_bins != USUAL_BINS)
    return _golomb_bits(len(hidden) - 1, 0) + widths + of_bins


def _golomb_bits(number: int, order: int) -> int:
    """Bits of the exponential Golomb code of a number of at least 0."""
    return 2 * ((number >> order) + 1).bit_length() - 1 + order


def fixed_network(tensors: Sequence[Ints], steps: Sequence[int]) -> FixedNetwork:
    """A network as the compiled loops take it.

    Args:
        tensors: weights (outputs, inputs) and biases (outputs,) in turn, in steps, each at most
            `MAX_NUMBER` in size.
        steps: the code of each tensor's step, 0 to 255.
    """
    weights, biases = tensors[::2], tensors[1::2]
    octaves, eighths = np.divmod(np.array(steps, np.int64), _EIGHTHS)
    factors, shifts = _EIGHTHS + eighths, _FINEST - octaves
    fixed = [
        ((item * factor) << FRACTION_BITS) >> shift
        for item, factor, shift in zip(biases, factors[1::2], shifts[1::2], strict=True)
    ]
    return FixedNetwork(
        np.array([weights[0].shape[1], *(len(item) for item in biases)], np.int64),
        np.concatenate([item.T.reshape(-1) for item in weights]).astype(np.int32),
        np.concatenate(fixed),
        factors[::2].copy(),
        shifts[::2].copy(),
    )


def fixed_network_of(as_sent: Mapping[str, Tensor]) -> FixedNetwork:
    """The network that `sent_network` sends."""
    tensors = [item.numpy() for name, item in as_sent.items() if name != STEPS]
    return fixed_network(tensors, as_sent[STEPS].tolist())


def shapes_of(widths: Sequence[int]) -> list[tuple[int, ...]]:
    """Of weights and biases in turn, by coordinates, hidden layers and bins."""
    return [shape for ins, outs in pairwise(widths) for shape in ((outs, ins), (outs,))]

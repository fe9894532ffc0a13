"""A network whose parameters are whole numbers: rounded, and as the compiled loops take it."""

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
#: A parameter is at most this many steps. Sums over `MAX_WIDTH` inputs then stay below 2^62.
MAX_NUMBER = 2**17
MAX_WIDTH = 4_096
MAX_LAYERS = 32
#: Bits of a tensor's step: code c stands for (8 + c mod 8) * 2^(c // 8 - 31).
STEP_BITS = 8
#: The name under which `whole_parameters` returns the codes of steps.
STEPS = "steps"

# The finest step is 8 / 2^31; there are eight steps in an octave.
_FINEST, _EIGHTHS = 31, 8


class WholeNetwork(NamedTuple):
    """A network as it is sent.

    Attributes:
        tensors: int64, weights (outputs, inputs) and biases (outputs,) in turn, in steps.
        steps: the code of each tensor's step, see `step_lengths`.
        precision_bits: 1 to 16, of each number, counted from its tensor's lowest.
    """

    tensors: tuple[Ints, ...]
    steps: tuple[int, ...]
    precision_bits: int

    @property
    def num_bins(self) -> int:
        """How many bins it gives probabilities of: its outputs."""
        return len(self.tensors[-1])

    @property
    def hidden_widths(self) -> list[int]:
        """Widths of its hidden layers."""
        return [len(biases) for biases in self.tensors[1:-2:2]]


class FixedNetwork(NamedTuple):
    """A network from coordinates to logits in fixed point, as the compiled loops take it.

    Attributes:
        widths: int64 (layers + 1,): coordinates, hidden layers, bins.
        numbers: int32, layer after layer: weights, inputs by outputs, times 2 to the shift.
        biases: int64, layer after layer, with `FRACTION_BITS` behind the point.
        shifts: int64 (layers,), 0 to 31.
    """

    widths: Ints
    numbers: NDArray[np.int32]
    biases: Ints
    shifts: Ints


def whole_parameters(
    parameters: Mapping[str, Tensor], precision_bits: int
) -> tuple[dict[str, Tensor], bool]:
    """Round each parameter to whole steps of its tensor.

    Of the steps that can be sent, a tensor gets the shortest in which its spread is at most
    2^precision - 2 steps and its largest value at most `MAX_NUMBER` steps. All of its numbers then
    lie within 2^precision from the lowest.

    Args:
        parameters: floating, by name; what is not finite counts as 0.
        precision_bits: 2 to 16; 32 means 16, as fixed point has no more.

    Returns:
        On the CPU: int64 of the parameters' shapes, and under `STEPS` the codes of the steps, int64
        (tensors,); and whether all parameters are finite.

    Example:
        >>> found, _ = whole_parameters({"bias": torch.tensor([0.0, 0.5, -1.0])}, 4)
        >>> found["bias"].tolist(), found[STEPS].tolist()
        ([0, 5, -9], [198])
    """
    # Importing Numba takes 0.4 s, so it is imported only when something is sent.
    from bitfold.entropy_coding.fixed_point.rounding import round_tensors  # noqa: PLC0415 - above

    items = [item.detach() for item in parameters.values()]
    sizes = [item.numel() for item in items]
    values = torch.cat([item.reshape(-1) for item in items]).cpu().double()
    num_numbers = 2 ** min(precision_bits, MAX_PREDICTOR_BITS)
    numbers = torch.empty(sum(sizes), dtype=torch.int64, device="cpu")
    codes = torch.empty(len(sizes), dtype=torch.int64, device="cpu")
    bounds, out = (num_numbers, MAX_NUMBER), (numbers.numpy(), codes.numpy())
    are_finite = round_tensors(values.numpy(), np.array(sizes), step_lengths(), bounds, out)
    parts = zip(parameters, items, torch.split(numbers, sizes), strict=True)
    whole = {name: part.view(item.shape) for name, item, part in parts}
    return {**whole, STEPS: codes}, bool(are_finite)


@cache
def step_lengths() -> NDArray[np.float64]:
    """The lengths for which the codes of steps stand: (256,), ascending."""
    octave, eighth = np.divmod(np.arange(2**STEP_BITS), _EIGHTHS)
    lengths: NDArray[np.float64] = np.ldexp((_EIGHTHS + eighth) * 1.0, octave - _FINEST)
    return lengths


def fixed_network(tensors: Sequence[Ints], steps: Sequence[int]) -> FixedNetwork:
    """A network as the compiled loops take it.

    Args:
        tensors: weights (outputs, inputs) and biases (outputs,) in turn, in steps, each at most
            `MAX_NUMBER` in size.
        steps: the code of each tensor's step, 0 to 255.
    """
    # Importing Numba takes 0.4 s, so it is imported only when a network is used.
    from bitfold.entropy_coding.fixed_point.rounding import fix_tensors  # noqa: PLC0415 - as said

    weights, biases = tensors[::2], tensors[1::2]
    widths = np.array([weights[0].shape[1], *map(len, biases)], np.int64)
    network = FixedNetwork(
        widths,
        np.empty(sum(item.size for item in weights), np.int32),
        np.empty(widths[1:].sum(), np.int64),
        np.empty(len(weights), np.int64),
    )
    flat = np.concatenate([item.reshape(-1) for item in tensors])
    places = (FRACTION_BITS, _EIGHTHS, _FINEST)
    fix_tensors(flat, np.array(steps, np.int64), places, network)
    return network


def fixed_network_of(whole: Mapping[str, Tensor]) -> FixedNetwork:
    """The network of `whole_parameters`, as the compiled loops take it."""
    tensors = [item.numpy() for name, item in whole.items() if name != STEPS]
    return fixed_network(tensors, whole[STEPS].tolist())


def layer_shapes(widths: Sequence[int]) -> list[tuple[int, ...]]:
    """Shapes of weights and biases in turn, by the widths of inputs, hidden layers and outputs."""
    return [shape for ins, outs in pairwise(widths) for shape in ((outs, ins), (outs,))]

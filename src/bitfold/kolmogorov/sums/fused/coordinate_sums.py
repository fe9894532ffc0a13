"""K of a coordinate predictor over bins in one compiled pass: tensors in, cost and gradients out.

Written as tensors, K needs the logits, the softmax and the gradients of all weights by bins. The
fused sum takes 64 weights at a time through all steps instead, so that nothing leaves the cache:

1. `kernels.sum_rows` copies the positions of a batch of weights, and drives the steps below;
2. `trunk.forward` computes the predictor's hidden layers;
3. `soft_targets.find_bins` finds the bins near each weight, and the cost of leaving the range;
4. for each tile of 4 weights, `head.exponentiate` computes logits, their exponentials and sums;
   `soft_targets` subtracts the weight's shares from them, which leaves the gradient by the logits;
   `head.add_head_gradients` takes that back to the last layer and the hidden values;
5. `trunk.backward` takes the gradient back through the hidden layers.

`scratch_map` says where each of these arrays lies in one stretch of scratch memory.

Weights are given as continuous indices, in units of bins; the caller converts gradients by the
index into gradients by the weight. float32 on the CPU only.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.soft_assignment import SoftTargets
from bitfold.runtime.threads import array, in_order, parts_of

# Fewest weights for a thread of their own: almost a millisecond of work for 256 bins and a small
# predictor, several times the cost of starting the thread.
_PART_WEIGHTS = 8192


class FusedSum(NamedTuple):
    """The cost of weights, and its gradients.

    Attributes:
        total: nats, summed in float64.
        grad_index: float32 (N,), derivative by the continuous index; empty without gradients.
        grad_layers: float32, derivatives by the layers, in their order and shapes; empty without
            gradients.
    """

    total: float
    grad_index: Tensor
    grad_layers: list[Tensor]


def can_fuse() -> bool:
    """Whether the installed Numba has the internals that the fused loops use."""
    # Numba takes half a second to import, so only those who compute such a K import it.
    from bitfold.runtime import numba_internals  # noqa: PLC0415

    return numba_internals.are_as_expected()


@torch.no_grad()
def fused_sum(  # noqa: PLR0917 - its caller has all of these apart
    index: Tensor,
    positions: Tensor,
    layers: Sequence[Tensor],
    num_bins: int,
    temperature: float | None,
    with_gradients: bool,
) -> FusedSum:
    """Sum over weights the cross-entropy of their shares under the predicted distribution.

    A weight outside of 0 to ``num_bins`` - 1 costs as much as at the edge, plus 2 ln(1 + d) nats if
    it lies d bins beyond (see `confine`). The sum does not depend on the number of threads. No
    array of weights by bins or weights by hidden values is held.

    Source: the cross-entropy is the seed program's; for the bins near a weight see `SoftTargets`.

    Args:
        index: float32 (N,) on the CPU, continuous bin indices, of any size; NaN gives NaN.
        positions: float32 (N, C).
        layers: of the predictor, float32: weights (outputs, inputs) and biases (outputs,) in turn,
            with LeakyReLU of slope 0.01 between layers; the last layer has ``num_bins`` outputs.
        num_bins: at least 2.
        temperature: of soft targets. None for linear targets, which share a weight between its two
            nearest bins in proportion.
        with_gradients: whether to compute the gradients.

    Returns:
        The sum, and its gradients if requested.

    Raises:
        KolmogorovError: if shapes, types or settings do not match.

    Example:
        >>> layers = [torch.ones(3, 2), torch.zeros(3), torch.zeros(4, 3), torch.zeros(4)]
        >>> total, grad_index, grad_layers = fused_sum(
        ...     torch.tensor([0.0, 5.0]), torch.zeros(2, 2), layers, 4, None, True
        ... )
        >>> round(total, 6), grad_index.tolist()  # twice ln 4, and 2 ln(1 + 2) for overshooting
        (4.969813, [0.0, 0.6666666865348816])
        >>> [tuple(gradient.shape) for gradient in grad_layers]
        [(3, 2), (3,), (4, 3), (4,)]
    """
    from bitfold.kolmogorov.sums.fused.kernels import scratch_size, sum_rows  # noqa: PLC0415 - see can_fuse

    widths = _checked_widths(index, positions, layers, num_bins)
    packed = torch.cat([layer.flatten() for layer in layers]).numpy()
    rate, reach, parts = loop_settings(len(index), len(packed), num_bins, temperature)
    grad_index = np.empty(len(index), np.float32)
    grad_layers = np.zeros((len(parts), len(packed) if with_gradients else 0))
    weights, predictor = (array(index), array(positions)), (packed, widths)
    num_scratch = scratch_size(widths, (rate, reach))

    def sum_part(number: int) -> float:
        gradients = (grad_index, grad_layers[number])
        scratch = torch.empty(
            num_scratch, device="cpu"
        ).numpy()  # aligned, and for one thread alone
        nats: float = sum_rows(weights, predictor, (rate, reach), parts[number], gradients, scratch)
        return nats

    total = sum(in_order(sum_part, range(len(parts)), are_long=True))
    if not with_gradients:
        return FusedSum(total, torch.empty(0, device="cpu"), [])
    shaped = _unpacked(grad_layers.sum(axis=0).astype(np.float32), layers)
    return FusedSum(total, torch.from_numpy(grad_index), shaped)


def loop_settings(
    num_weights: int, num_own: int, num_bins: int, temperature: float | None
) -> tuple[float, int, list[tuple[int, int]]]:
    """Return what the loops are called with, besides arrays.

    Args:
        num_weights: weights of the sum.
        num_own: parameters of the predictor.
        num_bins: bins of the grid.
        temperature: as for `fused_sum`.

    Returns:
        1 / T and the near bins on each side, as `kernels.sum_rows` takes them; and the parts of the
        weights, whose sums are added in their order.
    """
    parts = parts_of(0, num_weights, _PART_WEIGHTS, num_own)
    if temperature is None:
        return 0.0, 1, parts
    # Checks the temperature, before it divides.
    reach = SoftTargets(temperature, num_bins).reach
    return 1 / temperature, reach, parts


@torch.no_grad()
def fused_bin_nats(bins: Tensor, positions: Tensor, layers: Sequence[Tensor]) -> Tensor:
    """Code length of one given bin for each weight: -ln of its softmax probability.

    Source: C. E. Shannon, 1948. Carries no gradient.

    Args:
        bins: int64 (N,) on the CPU.
        positions: as for `fused_sum`.
        layers: as for `fused_sum`; there are as many bins as last biases.

    Returns:
        Nats, float32 (N,).

    Raises:
        KolmogorovError: if shapes or types do not match, or a bin does not exist.

    Example:
        >>> layers = [torch.ones(3, 2), torch.zeros(3), torch.zeros(4, 3), torch.zeros(4)]
        >>> fused_bin_nats(torch.tensor([0, 3]), torch.zeros(2, 2), layers)
        tensor([1.3863, 1.3863])
    """
    from bitfold.kolmogorov.sums.fused.kernels import bin_rows  # noqa: PLC0415 - see can_fuse

    num_bins = len(layers[-1])
    widths = _checked_widths(bins, positions, layers, num_bins, torch.int64)
    if len(bins) and not 0 <= int(bins.min()) <= int(bins.max()) < num_bins:
        raise KolmogorovError(
            f"Cannot code bins: expected bins 0 to {num_bins - 1}, got {int(bins.min())} to "
            f"{int(bins.max())}. Clamp them to the grid."
        )
    packed = torch.cat([layer.flatten() for layer in layers]).numpy()
    nats = torch.empty(len(bins), device="cpu")
    bin_rows(array(bins), array(positions), (packed, widths), nats.numpy())
    return nats


def _unpacked(packed: NDArray[np.float32], layers: Sequence[Tensor]) -> list[Tensor]:
    """Split a flat array into the layers' shapes; NumPy takes half of PyTorch's time."""
    shaped, start = [], 0
    for layer in layers:
        piece = packed[start : start + layer.numel()]
        shaped.append(torch.from_numpy(piece.reshape(layer.shape)))
        start += layer.numel()
    return shaped


def _checked_widths(
    index: Tensor,
    positions: Tensor,
    layers: Sequence[Tensor],
    num_bins: int,
    dtype: torch.dtype = torch.float32,
) -> NDArray[np.int64]:
    """Check shapes and types, since the loops check no bounds; return the layers' widths."""
    widths = [positions.shape[-1], *(len(biases) for biases in layers[1::2])]
    found = [tuple(tensor.shape) for tensor in (index, positions, *layers)]
    expected: list[tuple[int, ...]] = [(len(index),), (len(index), widths[0])]
    for fan_in, fan_out in pairwise(widths):
        expected += [(fan_out, fan_in), (fan_out,)]
    if found != expected or len(widths) < 3 or min(widths) < 1 or not 2 <= num_bins == widths[-1]:
        raise KolmogorovError(
            f"Cannot sum a Kolmogorov loss: expected layers that lead from {widths[0]} coordinates "
            f"to {num_bins} bins (at least 2) and shapes {expected}, got {found}. Pass weights "
            "(outputs, inputs) and biases (outputs,) in turn, with a hidden layer at least."
        )
    others = {(tensor.dtype, tensor.device.type) for tensor in (positions, *layers)}
    if others | {(index.dtype, index.device.type)} != {(torch.float32, "cpu"), (dtype, "cpu")}:
        raise KolmogorovError(
            f"Cannot sum a Kolmogorov loss: expected {dtype} and float32 on the CPU, got "
            f"{index.dtype} on {index.device} and {sorted(map(str, others))}. Convert them first."
        )
    return np.array(widths, np.int64)

"""The coordinate predictor: a small network from a weight's position to its distribution."""

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.entropy_coding.fixed_point.network import (
    MAX_LAYERS,
    MAX_WIDTH,
    fixed_network_of,
    whole_parameters,
)
from bitfold.errors import KolmogorovError, ModelFileError
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.escape import escape_bits
from bitfold.kolmogorov.grid.rounding import count_plainly
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.predictors.code_length import KINDS, CodeLength
from bitfold.kolmogorov.predictors.sent_predictor import FileCoding, SentPredictor
from bitfold.kolmogorov.predictors.weight_predictor import Summed, WeightPredictor
from bitfold.kolmogorov.sums.fused.coordinate_sums import (
    FusedSum,
    can_fuse,
    fused_bin_nats,
    fused_sum,
)
from bitfold.kolmogorov.sums.prediction import Prediction
from bitfold.kolmogorov.weights.layout import Layout, varying_coordinates
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.light_torch.blank_layers import blank_linear
from bitfold.runtime.threads import array

# Rules of sharing that the compiled sum implements.
_FUSED_RULES = ("linear", "softmax")
# Number of weights whose hard bits are counted at a time.
_FIXED_CHUNK = 2**16
# Up to this size the network runs for all weights in a second or so.
_MOST_WEIGHTS = 2**20


class CoordinatePredictor(WeightPredictor):
    """A small network from normalised positions to the parameters of a code.

    Coordinates that are the same for all weights, such as the kernel offset in a network without
    convolutions, carry no information and are left out.

    Source: the seed program's predictor; LeakyReLU with slope 0.01 between affine layers.

    Args:
        shape: widths of the hidden layers, 1 to 32 of them, each 1 to 4,096.
        kind: ``"cross_entropy"`` (nats), ``"mse"`` (squared units), ``"gaussian_nll"`` or
            ``"laplacian_nll"`` (nats: density times the width of a bin).

    Raises:
        KolmogorovError: if ``shape`` is empty, too long, or has a width out of bounds; or if there
            is no such kind.

    Example:
        >>> from bitfold.kolmogorov import KolmogorovLoss
        >>> kolmogorov = KolmogorovLoss(nn.Linear(3, 3), predictor=CoordinatePredictor((4,)))
        >>> sum(parameter.numel() for parameter in kolmogorov.predictor.parameters())
        1296
    """

    option_name = "coordinate"
    option_rank = 0
    option_settings = ("shape", "kind")
    most_weights_unasked = _MOST_WEIGHTS
    is_trusted = True

    def __init__(self, shape: Sequence[int] = (5, 5), kind: str = "cross_entropy") -> None:
        super().__init__()
        _check_shape(shape)
        if kind not in KINDS:
            raise KolmogorovError(
                f"Cannot make a coordinate predictor: expected kind to be one of "
                f"{', '.join(KINDS)}, got {kind!r}. Choose one of these."
            )
        self.shape, self.kind = tuple(shape), kind
        self.uses_targets = kind == "cross_entropy"
        # The variance of `mse` is that of all residuals together.
        self.takes_shards = kind != "mse"
        if kind == "mse":
            # The variance of the residuals is taken over all weights together.
            self.bits_chunk = 2**62

    @classmethod
    def variants(cls) -> list[Self]:
        """Small and larger networks, for densities and for distributions over bins."""
        densities = [cls(shape, "laplacian_nll") for shape in ((5, 5), (16, 16))]
        return densities + [cls(shape) for shape in ((5,), (5, 5))]

    @property
    def label(self) -> str:
        """The kind and the shape too."""
        return f"coordinate, {self.kind} {list(self.shape)}"

    def attach(self, layout: Layout, bins: Bins, generator: torch.Generator | None) -> None:
        """Make the layers, with PyTorch's usual initial values drawn from ``generator``."""
        super().attach(layout, bins, generator)
        self.code: CodeLength = KINDS[self.kind](bins)
        self.side_bits = self.code.side_bits
        self.coordinates = varying_coordinates(layout.blocks)
        widths = [len(self.coordinates), *self.shape]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(widths):
            layers += [_affine(fan_in, fan_out, generator), nn.LeakyReLU(0.01)]
        self.trunk = nn.Sequential(*layers)
        self.head = _affine(widths[-1], self.code.num_outputs, generator)
        # Listed once, since walking over modules takes as long as counting some bits.
        self._names = tuple(name for name, _ in self.named_parameters())

    def predict(self, subset: WeightSubset) -> Prediction:
        """The network's outputs for weights."""
        return Prediction(self.trunk(self.inputs(subset)), self.head.weight, self.head.bias)

    def inputs(self, subset: WeightSubset) -> Tensor:
        """The coordinates that the network sees: (n, coordinates)."""
        return subset.coordinates(self.coordinates).to(self.head.weight.dtype)

    def forward(self, subset: WeightSubset, indices: Tensor) -> Tensor:
        """The cost of bins under the code; no gradient."""
        if self.kind == "cross_entropy" and len(indices) == 1 and has_kernels(self.head.weight):
            return fused_bin_nats(indices[0], self.inputs(subset), self.layers()).unsqueeze(0)
        prediction = self.predict(subset)
        return torch.stack([self.code.bin_nats(row, prediction) for row in indices])

    def coded(self, subset: WeightSubset, indices: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        """The cost of bins with other parameters, by compiled loops where they can compute it."""
        if self.kind == "cross_entropy" and len(indices) == 1 and has_kernels(self.head.weight):
            layers = [parameters[name] for name, _ in self.named_parameters()]
            return fused_bin_nats(indices[0], self.inputs(subset), layers).unsqueeze(0)
        return super().coded(subset, indices, parameters)

    def sent(self, precision_bits: int) -> dict[str, Tensor]:
        """Whole numbers if bins are coded, see `whole_parameters`; rounded floats for densities."""
        if self.kind != "cross_entropy":
            return super().sent(precision_bits)
        return self._whole(precision_bits)[0]

    def _whole(self, precision_bits: int) -> tuple[dict[str, Tensor], bool]:
        layers = dict(zip(self._names, self.layers(), strict=True))
        return whole_parameters(layers, precision_bits)

    def sending_bits(self, precision_bits: int) -> Tensor | float:
        """Bits of the parameters, and of the shape for a distribution over bins."""
        if self.kind != "cross_entropy":
            return super().sending_bits(precision_bits)
        sizes = tuple(item.numel() for item in self.layers())
        return _sending_bits(sizes, precision_bits, self.shape, self.bins.num_bins)

    def send(
        self, table: ParameterTable, weight_range: WeightRange, precision_bits: int
    ) -> SentPredictor:
        """Round the predictor; the parameters are known to be finite by the way."""
        if self.kind != "cross_entropy":
            return super().send(table, weight_range, precision_bits)
        whole, are_finite = self._whole(precision_bits)
        bits = self.sending_bits(precision_bits)
        return SentPredictor(whole, bits, are_finite=are_finite)

    @torch.no_grad()
    def file_coding(
        self, table: ParameterTable, weight_range: WeightRange, precision_bits: int
    ) -> FileCoding:
        """By the integer frequencies of the network in whole numbers."""
        del table, weight_range
        if self.kind != "cross_entropy":
            raise ModelFileError(
                "Cannot write a model file: expected a coordinate predictor of kind cross_entropy, "
                f"got {self.kind}. Write it without the loss, or fit another predictor by "
                "bitfold.choose_predictor(loss)."
            )
        num_other = sum(int((~torch.isfinite(item)).sum()) for item in self.parameters())
        if num_other:
            raise ModelFileError(
                "Cannot write a model file: expected a predictor of finite parameters, got "
                f"{num_other} that are infinite or no numbers. Train it at a lower rate, or fit "
                "another one by bitfold.choose_predictor(loss)."
            )
        return FileCoding("coordinate", network=self.sent(precision_bits))

    def hard_bits(
        self, subset: WeightSubset, values: Tensor, as_sent: dict[str, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """The bits under the integer frequencies of the file, counted on the CPU.

        They are NaN for all weights while a parameter is not finite.
        """
        if as_sent is None or self.kind != "cross_entropy":
            return super().hard_bits(subset, values, as_sent)
        from bitfold.entropy_coding.fixed_point.bins import bin_bits  # noqa: PLC0415 - imports Numba

        network = fixed_network_of(as_sent)
        indices = self.bins.nearest(values)
        bits = [
            bin_bits(network, some.fixed_coordinates(self.coordinates), array(indices[part].cpu()))
            for part, some in subset.split(_FIXED_CHUNK)
        ]
        not_finite = (0 * self._flat()).sum()  # 0, or NaN
        counted = torch.from_numpy(np.concatenate(bits)).to(values)
        return counted + 0 * values + not_finite, escape_bits(values, self.bins)

    def total_bits(
        self,
        table: ParameterTable,
        weight_range: WeightRange,
        as_sent: SentPredictor,
        all_weights: WeightSubset,
    ) -> tuple[float, float] | None:
        """The sums of `hard_bits`, by compiled loops that take all tensors at once."""
        weights = self._plain_weights(table, weight_range)
        if weights is None:
            return None
        from bitfold.entropy_coding.fixed_point.bins import bin_bits  # noqa: PLC0415 - imports Numba
        from bitfold.kolmogorov.grid.rounding_kernels import (  # noqa: PLC0415 - imports Numba
            clip_to_bins,
        )

        ((numbers, are_finite),) = count_plainly(weights, 1.0, self.bins, len(weights))
        if not (are_finite and as_sent.are_finite):
            return math.nan, math.nan
        last = self.bins.num_bins - 1
        has_outer = clip_to_bins(numbers, self.bins.origin, last)
        places = all_weights.fixed_coordinates(self.coordinates)
        bits = bin_bits(fixed_network_of(as_sent.parameters), places, numbers)
        # PyTorch's sum, so that both ways give the same bits.
        total = float(torch.from_numpy(bits).sum())
        if not has_outer:
            return total, 0.0
        outer = torch.from_numpy(weights[(numbers == 0) | (numbers == last)])
        return total, float(escape_bits(outer.double(), self.bins).sum())

    def _plain_weights(
        self, table: ParameterTable, weight_range: WeightRange
    ) -> NDArray[np.float32] | None:
        """All weights as one vector, if they are few and compiled loops can count them."""
        is_countable = (
            self.kind == "cross_entropy"
            and table.num_weights <= _FIXED_CHUNK
            and table.shards.is_whole
            and weight_range.steps() is None
        )
        return table.plain_values() if is_countable else None

    def layers(self) -> list[Tensor]:
        """Weights and biases in turn, in the order of `parameters`."""
        affine = [layer for layer in (*self.trunk, self.head) if isinstance(layer, nn.Linear)]
        return [item for layer in affine for item in (layer.weight, layer.bias)]

    @torch.no_grad()
    def _flat(self) -> Tensor:
        """A copy of all parameters, one behind the other."""
        return torch.cat([item.reshape(-1) for item in self.layers()])

    def summed(
        self, subset: WeightSubset, values: Tensor, targets: Targets, *, with_gradients: bool
    ) -> Summed:
        """The cost of weights in and out of range, by compiled loops where they can sum it."""
        sharing = targets.sharing
        has_loops = self.kind == "cross_entropy" and has_kernels(values)
        if sharing is None or sharing.rule not in _FUSED_RULES or not has_loops:
            return super().summed(subset, values, targets, with_gradients=with_gradients)
        # The quotient can exceed the largest number; its logarithm, which is its cost, cannot.
        largest = torch.finfo(values.dtype).max
        index = self.bins.continuous_index(values).clamp_(-largest, largest)
        index, moves = targets.perturb(index)
        found = self._fused(subset, index, sharing.temperature, with_gradients)
        by_index = found.grad_index.div_(self.bins.width)
        if moves is not None and with_gradients:
            by_index *= moves
        nats = torch.tensor(found.total, dtype=torch.float64, device="cpu")
        return Summed(nats, by_index, found.grad_layers)

    def _fused(
        self, subset: WeightSubset, index: Tensor, temperature: float | None, with_gradients: bool
    ) -> FusedSum:
        """The compiled sum, in chunks where there are many weights."""
        layers, num_bins = self.layers(), self.bins.num_bins
        if len(subset) <= self.bits_chunk:
            given = (index, self.inputs(subset), layers, num_bins, temperature)
            return fused_sum(*given, with_gradients)
        total, by_layers = 0.0, list[Tensor]()
        # No small tensor of a chunk may stay: it would split the memory that the next chunk needs,
        # and memory would grow by the size of all chunks.
        by_index = torch.empty_like(index if with_gradients else index[:0])
        for part, some in subset.split(self.chunk):
            given = (index[part], self.inputs(some), layers, num_bins, temperature)
            found = fused_sum(*given, with_gradients)
            total += found.total
            by_index[part if with_gradients else slice(0)] = found.grad_index
            for item, more in zip(by_layers, found.grad_layers, strict=bool(by_layers)):
                item.add_(more)
            by_layers = by_layers or found.grad_layers
        return FusedSum(total, by_index, by_layers)

    def smooth_nats(self, subset: WeightSubset, values: Tensor, targets: Targets) -> Tensor:
        """The cost of the kind; only the cross-entropy shares weights among bins."""
        return self.code.summed_nats(values, self.predict(subset), targets)


def has_kernels(tensor: Tensor) -> bool:
    """Whether compiled loops can read a tensor: float32 on the CPU, under a tested Numba."""
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32 and can_fuse()


@cache  # the same at each count
def _sending_bits(
    sizes: tuple[int, ...], precision_bits: int, shape: tuple[int, ...], num_bins: int
) -> int:
    # Importing Numba takes 0.4 s, so it is imported only when bits are counted.
    from bitfold.entropy_coding.fixed_point.syntax import (  # noqa: PLC0415 - see above
        parameter_bits,
        shape_bits,
    )

    return parameter_bits(sizes, precision_bits) + shape_bits(shape, num_bins)


def _check_shape(shape: Sequence[int]) -> None:
    plain = all(isinstance(width, int) and not isinstance(width, bool) for width in shape)
    if plain and 1 <= len(shape) <= MAX_LAYERS and all(1 <= width <= MAX_WIDTH for width in shape):
        return
    raise KolmogorovError(
        f"Cannot make a coordinate predictor: expected a shape of 1 to {MAX_LAYERS} whole numbers "
        f"of 1 to {MAX_WIDTH}, got {str(tuple(shape))[:80]}. Pass for example (5, 5)."
    )


def _affine(fan_in: int, fan_out: int, generator: torch.Generator | None) -> nn.Linear:
    """A linear layer with PyTorch's usual initial values, drawn from ``generator``."""
    layer = blank_linear(fan_in, fan_out, dtype=torch.float32)
    bound = 1.0 / math.sqrt(fan_in)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer

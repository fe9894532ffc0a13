"""The piecewise linear operations, and the function that each of them applies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: Affine in the argument that depends on the input, if no other argument does. Sums of absolute
#: values bound their rounding errors.
AFFINE: Final = frozenset(
    {"addmm", "mm", "bmm", "baddbmm", "matmul", "linear", "convolution", "mv", "addmv"}
    | {"avg_pool1d", "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d"}
    | {"mean", "sum", "cumsum", "upsample_nearest1d", "upsample_nearest2d", "upsample_bilinear2d"}
    | {"view", "_unsafe_view", "reshape", "t", "transpose", "permute", "expand", "slice", "select"}
    | {"unsqueeze", "squeeze", "cat", "stack", "split", "split_with_sizes", "unbind", "getitem"}
    | {"constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad2d"}
    | {"replication_pad1d", "clone", "detach", "alias", "contiguous", "index_select", "gather"}
    | {"roll", "flip", "pixel_shuffle", "pixel_unshuffle", "narrow", "diagonal", "unfold", "lift"}
    | {"channel_shuffle", "as_strided", "repeat", "repeat_interleave", "im2col", "squeeze_copy"}
    | {"index", "reflection_pad3d", "replication_pad3d"}
)
#: Depend on the input's shape alone.
CONSTANTS: Final = frozenset(
    {"zeros", "ones", "full", "zeros_like", "ones_like", "full_like"}
    | {"new_zeros", "new_ones", "new_full"}
)
#: The arguments that are multiplied with each other: affine if at most one depends on the input.
FACTORS: Final[Mapping[str, tuple[int, ...]]] = {
    **dict.fromkeys(("mm", "bmm", "matmul", "linear", "convolution", "mv", "mul", "div"), (0, 1)),
    **dict.fromkeys(("addmm", "baddbmm", "addmv"), (1, 2)),
    **dict.fromkeys(("gather", "index_select"), (0, 2)),
}
#: Sums and products of two operands; a product is affine unless both depend on the input.
SUMS: Final = frozenset({"add", "sub", "rsub", "neg"})
PRODUCTS: Final = frozenset({"mul", "div"})
NORMS: Final = frozenset(
    {"native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm"}
    | {"_native_batch_norm_legit"}
)
#: Types do not matter: all numbers are float64.
CASTS: Final = frozenset({"_to_copy", "to"})
#: max(a, b) = b + relu(a - b), min(a, b) = a - relu(a - b).
PAIRS: Final = frozenset({"maximum", "minimum"})
#: They hand on the largest or smallest element of each of their windows: see `choices.Choice`.
CHOICES: Final = frozenset(
    {"max_pool2d_with_indices", "max_pool3d_with_indices"}
    | {"adaptive_max_pool2d", "adaptive_max_pool3d", "amax", "amin", "max", "min"}
)


@dataclass(frozen=True, eq=False)
class Pieces:
    """A continuous piecewise linear function of one number, such as ReLU.

    Args:
        thresholds: where it bends, ascending.
        slopes: of the pieces, one more than thresholds; numbers, or tensors that broadcast.
        intercepts: likewise. On piece k the function of x is ``slopes[k] * x + intercepts[k]``.
    """

    thresholds: Sequence[float]
    slopes: Sequence[Any]
    intercepts: Sequence[Any]

    @property
    def leak(self) -> float | None:
        """The slope below 0, if the function is the number itself above 0; else None."""
        below, above = self.slopes[0], self.slopes[-1]
        is_leaky = tuple(self.thresholds) == (0.0,) and not any(self.intercepts) and above == 1
        return float(below) if is_leaky and isinstance(below, int | float) else None


RELU: Final = Pieces((0.0,), (0.0, 1.0), (0.0, 0.0))

Arguments = Mapping[str, Any]


def _relu(_: Arguments) -> Pieces:
    return RELU


def _leaky(arguments: Arguments) -> Pieces:
    return Pieces((0.0,), (arguments["negative_slope"], 1.0), (0.0, 0.0))


def _prelu(arguments: Arguments) -> Pieces:
    return Pieces((0.0,), (arguments["weight"], 1.0), (0.0, 0.0))


def _abs(_: Arguments) -> Pieces:
    return Pieces((0.0,), (-1.0, 1.0), (0.0, 0.0))


def _clamp(arguments: Arguments) -> Pieces:
    low = arguments.get("min", arguments.get("min_val"))
    high = arguments.get("max", arguments.get("max_val"))
    thresholds, slopes, intercepts = [], [1.0], [0.0]
    if low is not None:
        thresholds, slopes, intercepts = [float(low)], [0.0, 1.0], [float(low), 0.0]
    if high is not None:
        thresholds, slopes = [*thresholds, float(high)], [*slopes, 0.0]
        intercepts = [*intercepts, float(high)]
    return Pieces(thresholds, slopes, intercepts)


def _hard_sigmoid(_: Arguments) -> Pieces:
    return Pieces((-3.0, 3.0), (0.0, 1 / 6, 0.0), (0.0, 0.5, 1.0))


def _soft_shrink(arguments: Arguments) -> Pieces:
    size = float(arguments["lambd"])
    return Pieces((-size, size), (1.0, 0.0, 1.0), (size, 0.0, -size))


def _threshold(arguments: Arguments) -> Pieces | None:
    at, value = float(arguments["threshold"]), float(arguments["value"])
    return Pieces((at,), (0.0, 1.0), (value, 0.0)) if at == value else None


#: By the name of the operation; None where it jumps.
PIECEWISE: Final[Mapping[str, Callable[[Arguments], Pieces | None]]] = {
    "relu": _relu,
    "leaky_relu": _leaky,
    "rrelu_with_noise": lambda a: Pieces((0.0,), ((a["lower"] + a["upper"]) / 2, 1.0), (0.0, 0.0)),
    "_prelu_kernel": _prelu,
    "abs": _abs,
    "hardtanh": _clamp,
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp,
    "hardsigmoid": _hard_sigmoid,
    "softshrink": _soft_shrink,
    "threshold": _threshold,
}

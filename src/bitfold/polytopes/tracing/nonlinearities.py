"""The elementwise operations that fold the input space, and at which pre-activations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from torch import Tensor

# A function of a call's arguments, by name: the numbers or tensors to compare the input with.
Thresholds = Callable[[Mapping[str, Any]], Sequence[Any]]


@dataclass(frozen=True)
class Nonlinearity:
    """How one operation folds: the values of its input at which a sign changes.

    Args:
        thresholds: from the operation's arguments by name to the values to compare its input with.
        is_smooth: whether it has no kink. A smooth operation applied last is no fold.
    """

    thresholds: Thresholds
    is_smooth: bool = False


def _at_zero(_: Mapping[str, Any]) -> Sequence[Any]:
    return (0.0,)


def _at_three(_: Mapping[str, Any]) -> Sequence[Any]:
    return (-3.0, 3.0)


def _at_plus_minus_lambda(arguments: Mapping[str, Any]) -> Sequence[Any]:
    return (-arguments["lambd"], arguments["lambd"])


def _at(*names: str) -> Thresholds:
    """Compare with the arguments of these names, leaving out those that are None."""

    def thresholds(arguments: Mapping[str, Any]) -> Sequence[Any]:
        return tuple(arguments[name] for name in names if arguments[name] is not None)

    return thresholds


_KINKED: Final = Nonlinearity(_at_zero)
_SMOOTH: Final = Nonlinearity(_at_zero, is_smooth=True)

# By the name of the operation in PyTorch's ATen namespace, without overload; the in-place twin of
# an operation carries the same name and an underscore.
NONLINEARITIES: Final[Mapping[str, Nonlinearity]] = {
    "relu": _KINKED,
    "leaky_relu": _KINKED,
    "_prelu_kernel": _KINKED,
    "rrelu_with_noise": _KINKED,
    "abs": _KINKED,
    "hardtanh": Nonlinearity(_at("min_val", "max_val")),
    "clamp": Nonlinearity(_at("min", "max")),
    "clamp_min": Nonlinearity(_at("min")),
    "clamp_max": Nonlinearity(_at("max")),
    "threshold": Nonlinearity(_at("threshold")),
    # maximum(a, b) and minimum(a, b) fold where a = b
    "maximum": Nonlinearity(_at("other")),
    "minimum": Nonlinearity(_at("other")),
    "hardsigmoid": Nonlinearity(_at_three),
    "hardswish": Nonlinearity(_at_three),
    "softshrink": Nonlinearity(_at_plus_minus_lambda),
    "hardshrink": Nonlinearity(_at_plus_minus_lambda),
    "elu": _SMOOTH,
    "celu": _SMOOTH,
    "gelu": _SMOOTH,
    "silu": _SMOOTH,
    "mish": _SMOOTH,
    "softplus": _SMOOTH,
    "log_sigmoid_forward": _SMOOTH,
    "sigmoid": _SMOOTH,
    "tanh": _SMOOTH,
    "erf": _SMOOTH,
    "sin": _SMOOTH,
    "cos": _SMOOTH,
}

# Operations that jump, or whose folds are not those of single neurons. They are refused, since
# leaving out their folds would be wrong.
REFUSED: Final = frozenset(
    {
        "aminmax",
        "sort",
        "topk",
        "median",
        "where",
        "sign",
        "floor",
        "ceil",
        "round",
        "heaviside",
    }
)


def operation_name(operation: Any) -> str:
    """Name an ATen operation without its overload and without the underscore of in-place twins.

    >>> import torch
    >>> operation_name(torch.ops.aten.relu_.default), operation_name(torch.ops.aten.addmm.default)
    ('relu', 'addmm')
    """
    return str(operation._schema.name).removeprefix("aten::").removesuffix("_")


def named_arguments(
    operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Give every argument of a call to an ATen operation its name, defaults included.

    >>> import torch
    >>> named_arguments(torch.ops.aten.leaky_relu.default, (None,), {})
    {'negative_slope': 0.01, 'self': None}
    """
    parameters = operation._schema.arguments
    arguments = {
        parameter.name: parameter.default_value
        for parameter in parameters
        if parameter.has_default_value()
    }
    arguments |= {parameter.name: value for parameter, value in zip(parameters, args, strict=False)}
    return arguments | dict(kwargs)


def fold_signs(nonlinearity: Nonlinearity, arguments: Mapping[str, Any]) -> list[Tensor]:
    """Compare an operation's input with each of its thresholds.

    Returns:
        One bool tensor of the input's (broadcast) shape for each threshold.
    """
    pre_activations = arguments["self"]
    return [pre_activations > threshold for threshold in nonlinearity.thresholds(arguments)]

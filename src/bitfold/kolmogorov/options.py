"""The options of a Kolmogorov loss that are given by name."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.soft_assignment import (
    HardTargets,
    LinearTargets,
    NoiseTargets,
    RoundedTargets,
    Targets,
)
from bitfold.kolmogorov.grid.soft_targets import SoftTargets
from bitfold.kolmogorov.predictors.coordinate import CoordinatePredictor
from bitfold.kolmogorov.predictors.laplace_logistic import PerTensorPredictor, RowColumnPredictor
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor

PREDICTORS = ("coordinate", "row_column", "per_tensor")
TARGETS = ("soft", "linear", "noise", "rounded", "hard")
REST_BITS = (0, 16, 32)


def make_predictor(
    predictor: str | WeightPredictor,
    shape: Sequence[int] | None,
    kind: str | None,
    *,
    is_centred: bool = False,
) -> WeightPredictor:
    """A weight predictor by its name; one that is given stays.

    Args:
        predictor: one of `PREDICTORS`, or one of your own.
        shape: of the coordinate predictor; None: its default.
        kind: likewise.
        is_centred: whether those that learn scales leave locations at 0.

    Raises:
        KolmogorovError: if there is none of that name, if shape or kind are out of bounds, or if
            they are given with another predictor.
    """
    given = {"shape": shape, "kind": kind}
    settings: dict[str, Any] = {name: item for name, item in given.items() if item is not None}
    if predictor == "coordinate":
        return CoordinatePredictor(**settings)
    if not isinstance(predictor, WeightPredictor):
        _check_name("predictor", predictor, PREDICTORS)
    if settings:
        names = " or ".join("predictor_shape" if name == "shape" else name for name in settings)
        raise KolmogorovError(
            f"Cannot make a Kolmogorov loss: expected {names} with predictor='coordinate' alone, "
            f"got predictor={_found(predictor)}. Leave it out, or choose that predictor."
        )
    if isinstance(predictor, WeightPredictor):
        return predictor
    by_scales = RowColumnPredictor if predictor == "row_column" else PerTensorPredictor
    return by_scales(is_centred=is_centred)


def make_targets(name: str, temperature: float, num_bins: int) -> Targets:
    """Targets by their name.

    Raises:
        KolmogorovError: if there are none of that name, or the temperature is out of bounds.
    """
    _check_name("targets", name, TARGETS)
    known: dict[str, Targets] = {
        "soft": SoftTargets(temperature, num_bins),
        "linear": LinearTargets(num_bins),
        "noise": NoiseTargets(num_bins),
        "rounded": RoundedTargets(num_bins),
        "hard": HardTargets(num_bins),
    }
    return known[name]


def check_rest(rest_bits: int) -> None:
    """Refuse a precision that nothing is sent in.

    Raises:
        KolmogorovError: if ``rest_bits`` is not 0, 16 or 32.
    """
    if rest_bits not in REST_BITS:
        raise KolmogorovError(
            f"Cannot make a Kolmogorov loss: expected rest_bits of 0, 16 or 32, got {rest_bits!r}. "
            "Choose one of these."
        )


def check_count(setting: str, number: int) -> None:
    """Refuse what is no whole number of at least 1.

    Raises:
        KolmogorovError: if it is none.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise KolmogorovError(
            f"Cannot make a Kolmogorov loss: expected {setting} to be a whole number of at least "
            f"1, got {number!r}. Choose another."
        )


def check_quantise(quantise: str | None, weight_range: tuple[float, float] | str) -> None:
    """Refuse a way to quantise that there is not, or that does not go with the range.

    Raises:
        KolmogorovError: if it is neither ``"learned"``, with learned steps, nor None.
    """
    if quantise is None:
        return
    if quantise != "learned":
        raise KolmogorovError(
            f"Cannot make a Kolmogorov loss: expected quantise to be 'learned' or None, got "
            f"{_found(quantise)}. Choose one of these."
        )
    if weight_range != "auto":
        raise KolmogorovError(
            "Cannot make a Kolmogorov loss: expected quantise='learned' with weight_range='auto', "
            f"got {str(weight_range)[:80]!r}, whose steps are fixed. Leave one of them out."
        )


def num_rest_bits(values: Tensor, rest_bits: int) -> int:
    """Bits of numbers that are not described; whole ones take 32 however narrow the others are.

    Example:
        >>> num_rest_bits(torch.zeros(3), 16), num_rest_bits(torch.zeros(3, dtype=torch.int64), 16)
        (48, 96)
    """
    if rest_bits == 0:
        return 0
    if values.is_complex():
        return 2 * rest_bits * values.numel()
    return values.numel() * (rest_bits if values.is_floating_point() else max(REST_BITS))


def as_rest(values: Tensor, rest_bits: int) -> Tensor:
    """What a decoder gets of numbers that are not described: same shape and dtype."""
    if values.is_complex():
        return torch.view_as_complex(as_rest(torch.view_as_real(values.resolve_conj()), rest_bits))
    if rest_bits == 0 or not values.is_floating_point():
        return values.clone()
    narrow = torch.bfloat16 if rest_bits == 16 else torch.float32
    return values.to(narrow, copy=True).to(values.dtype)


def _check_name(setting: str, name: object, known: Sequence[str]) -> None:
    if name not in known:
        raise KolmogorovError(
            f"Cannot make a Kolmogorov loss: expected {setting} to be one of "
            f"{', '.join(known)}, got {_found(name)}. Choose one of these."
        )


def _found(name: object) -> str:
    return repr(name) if isinstance(name, str) else f"a {type(name).__name__}"

"""The options of a Kolmogorov loss: names turned into objects, and checks."""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.grid.soft_assignment.soft import check_temperature
from bitfold.kolmogorov.options.registry import PREDICTORS, TARGETS
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor

REST_BITS = (0, 16, 32)


def make_predictor(
    predictor: str | WeightPredictor,
    shape: Sequence[int] | None,
    kind: str | None,
    *,
    is_centred: bool = False,
) -> WeightPredictor:
    """Make a weight predictor by its name, or return the instance that is given.

    Args:
        predictor: a name of `PREDICTORS`, or an instance.
        shape: hidden widths, for predictors that take a shape; None: the predictor's default.
        kind: of the code, for predictors that take it; likewise.
        is_centred: whether predictors of scales keep their locations at 0.

    Raises:
        KolmogorovError: if there is no predictor of that name, if shape or kind are out of bounds,
            or if they are given with a predictor that does not take them.
    """
    given = {"shape": shape, "kind": kind}
    settings: dict[str, Any] = {name: item for name, item in given.items() if item is not None}
    if not isinstance(predictor, WeightPredictor):
        _check_name("predictor", predictor, PREDICTORS)
    made_by = PREDICTORS[predictor] if isinstance(predictor, str) else None
    taken = () if made_by is None else made_by.option_settings
    unused = [name for name in settings if name not in taken]
    if unused:
        names = " or ".join("predictor_shape" if name == "shape" else name for name in unused)
        takers = [name for name, by in PREDICTORS.items() if set(unused) <= {*by.option_settings}]
        raise KolmogorovError(
            f"Cannot make a Kolmogorov loss: expected {names} with "
            f"predictor={' or '.join(map(repr, takers))} alone, "
            f"got predictor={_found(predictor)}. Leave it out, or choose that predictor."
        )
    if isinstance(predictor, WeightPredictor):
        return predictor
    return PREDICTORS[predictor].from_options(is_centred=is_centred, **settings)


def make_targets(
    targets: str | Targets | None, temperature: float, num_bins: int, *, by_task: bool = False
) -> Targets:
    """Make targets by their name, or return the instance that is given.

    Args:
        targets: a name of `TARGETS`, or an instance; None: the default.
        temperature: of soft targets, in bins.
        num_bins: number of bins of the grid.
        by_task: whether the task computes with rounded weights: the default then is rounded, else
            linear.

    Raises:
        KolmogorovError: if there are no targets of that name, if an instance has another number of
            bins, or if the temperature is out of bounds.
    """
    check_temperature(temperature)
    if targets is None:
        targets = "rounded" if by_task else "linear"
    if not isinstance(targets, Targets):
        _check_name("targets", targets, TARGETS)
        return TARGETS[targets].from_options(num_bins, temperature)
    if targets.num_bins != num_bins:
        raise KolmogorovError(
            f"Cannot make a Kolmogorov loss: expected targets for {num_bins} bins, got a "
            f"{type(targets).__name__} for {targets.num_bins}. Make them for the same number."
        )
    return targets


def check_rest(rest_bits: int) -> None:
    """Check the precision of numbers that are not described.

    Raises:
        KolmogorovError: if ``rest_bits`` is not 0, 16 or 32.
    """
    if rest_bits not in REST_BITS:
        raise KolmogorovError(
            f"Cannot make a Kolmogorov loss: expected rest_bits of 0, 16 or 32, got {rest_bits!r}. "
            "Choose one of these."
        )


def check_counts(**settings: int | None) -> None:
    """Check that settings are whole numbers of at least 1, or None.

    Raises:
        KolmogorovError: if one of them is not; the message names it.
    """
    for name, number in settings.items():
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise KolmogorovError(
                f"Cannot make a Kolmogorov loss: expected {name} to be a whole number of at least "
                f"1, got {number!r}. Choose another."
            )


def check_quantise(quantise: str | None, weight_range: tuple[float, float] | str) -> None:
    """Check that ``quantise`` exists and goes with the range.

    Raises:
        KolmogorovError: if it is neither None nor ``"learned"``, or is ``"learned"`` without
            learned steps.
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
    """Bits of numbers that are not described; whole numbers always take 32 bits.

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
    """Round numbers that are not described to what a decoder gets: same shape and dtype."""
    if values.is_complex():
        return torch.view_as_complex(as_rest(torch.view_as_real(values.resolve_conj()), rest_bits))
    if rest_bits == 0 or not values.is_floating_point():
        return values.clone()
    narrow = torch.bfloat16 if rest_bits == 16 else torch.float32
    return values.to(narrow, copy=True).to(values.dtype)


def _check_name(setting: str, name: object, known: Collection[str]) -> None:
    if not isinstance(name, str) or name not in known:
        raise KolmogorovError(
            f"Cannot make a Kolmogorov loss: expected {setting} to be one of "
            f"{', '.join(known)}, got {_found(name)}. Choose one of these."
        )


def _found(name: object) -> str:
    return repr(name) if isinstance(name, str) else f"a {type(name).__name__}"

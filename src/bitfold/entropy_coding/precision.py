"""The parameters of a predictor rounded to a few bits each, as a decoder gets them."""

from collections.abc import Iterable

import torch
from torch import Tensor

from bitfold.errors import KolmogorovError

FLOAT_BITS = 32
MIN_PREDICTOR_BITS = 2
MAX_PREDICTOR_BITS = 16
USUAL_PRECISION, SHORT_PRECISION = 8, 5


def make_precision(precision_bits: int | None, *, is_short: bool) -> int:
    """Check the precision of a predictor, or choose the usual one.

    Args:
        precision_bits: 2 to 16, or 32; None for the usual precision, 8 bits or 5 bits.
        is_short: whether the predictor describes few bits, so that it must not take many itself.

    Raises:
        KolmogorovError: if ``precision_bits`` is neither 2 to 16 nor 32.
    """
    if precision_bits is None:
        return SHORT_PRECISION if is_short else USUAL_PRECISION
    if MIN_PREDICTOR_BITS <= precision_bits <= MAX_PREDICTOR_BITS or precision_bits == FLOAT_BITS:
        return precision_bits
    raise KolmogorovError(
        f"Cannot send a predictor: expected predictor_bits of {MIN_PREDICTOR_BITS} to "
        f"{MAX_PREDICTOR_BITS} or {FLOAT_BITS}, got {precision_bits}. Pass for example 8."
    )


def sent_bits(tensors: Iterable[Tensor], precision_bits: int) -> int:
    """Count the bits of tensors: their codes, and offset and step of each in float32.

    An empty tensor takes none.

    Args:
        tensors: of any shape.
        precision_bits: 2 to 16, or 32 for plain float32, which needs no offset and step.

    Returns:
        The number of bits.

    Example:
        >>> sent_bits([torch.zeros(10)], 8), sent_bits([torch.zeros(10)], 32)
        (144, 320)
    """
    overhead = 0 if precision_bits == FLOAT_BITS else 2 * FLOAT_BITS
    sizes = [tensor.numel() for tensor in tensors]
    return sum(size * precision_bits + overhead for size in sizes if size > 0)


def sent(tensor: Tensor, precision_bits: int) -> Tensor:
    """Round a tensor uniformly between its extremes, as a decoder gets it.

    A value is offset + step * code, with a code of 0 to 2^precision_bits - 1. The offset is the
    smallest value and the step is the spread over 2^precision_bits - 1, both in float32.

    Args:
        tensor: floating.
        precision_bits: 2 to 16, or 32 for plain float32.

    Returns:
        Same shape and dtype, at most half a step from ``tensor``. The host does not wait for it.

    Example:
        >>> sent(torch.tensor([0.0, 0.3, 0.9]), 2)
        tensor([0.0000, 0.3000, 0.9000])
        >>> sent(torch.tensor([0.0, 0.4, 0.9]), 2)
        tensor([0.0000, 0.3000, 0.9000])
    """
    if precision_bits == FLOAT_BITS or tensor.numel() == 0:
        return tensor.to(torch.float32).to(tensor.dtype)
    offset, top = torch.aminmax(tensor.to(torch.float32))
    step: Tensor = (top - offset) / (2**precision_bits - 1)
    # A constant tensor has step 0: all its codes are 0.
    codes = ((tensor - offset) / step.clamp(min=torch.finfo(torch.float32).tiny)).round()
    values: Tensor = offset + codes.clamp_(0, 2**precision_bits - 1) * step
    return values.to(tensor.dtype)

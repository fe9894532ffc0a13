"""Functions with a kink whose slope at the kink is stated here.

PyTorch leaves open which subgradient its `clamp`, `minimum` and `maximum` have at ties, and
versions differ. Formulas through which a gradient flows use these functions instead.
"""

import torch
from torch import Tensor


def at_least(numbers: Tensor, bound: float) -> Tensor:
    """The larger of each number and a bound.

    Args:
        numbers: floating, any shape.
        bound: not NaN.

    Returns:
        Same shape and dtype; NaN stays NaN. The slope is 1 at and above the bound, 0 below.

    Example:
        >>> numbers = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
        >>> at_least(numbers, 0.0).tolist()
        [0.0, 0.0, 2.0]
        >>> torch.autograd.grad(at_least(numbers, 0.0).sum(), numbers)[0].tolist()
        [0.0, 1.0, 1.0]
    """
    return torch.where(numbers < bound, bound, numbers)


def at_most(numbers: Tensor, bound: float) -> Tensor:
    """The smaller of each number and a bound.

    Args:
        numbers: floating, any shape.
        bound: not NaN.

    Returns:
        Same shape and dtype; NaN stays NaN. The slope is 1 at and below the bound, 0 above.
    """
    return torch.where(numbers > bound, bound, numbers)


def magnitude(numbers: Tensor) -> Tensor:
    """The size of each number.

    Args:
        numbers: floating, any shape.

    Returns:
        Same shape and dtype. The slope is the sign, and 0 at 0.

    Example:
        >>> numbers = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
        >>> torch.autograd.grad(magnitude(numbers).sum(), numbers)[0].tolist()
        [-1.0, 0.0, 1.0]
    """
    return numbers * numbers.detach().sign()

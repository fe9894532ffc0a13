"""Targets: how a weight is shared among the bins around it.

Every kind of targets states its bias and its variance in these terms. C(j) is the cost of bin j in
nats, c a weight's continuous index, k = floor(c) and f = c - k. The *true slope* of the cost at c
is the slope between the two nearest bins, C(k + 1) - C(k).
"""

import abc
from collections.abc import Callable
from typing import ClassVar, NamedTuple, Self

from torch import Tensor


class Shares(NamedTuple):
    """How weights are shared among bins. All three tensors are (window, N), a column per weight.

    A window is short and weights are many, so operations along a window vectorise over weights.

    Attributes:
        bins: int64, distinct within a column.
        shares: the weight's share in that bin; a column adds up to 1.
        slopes: derivative of the share by the continuous index; a column adds up to 0.
    """

    bins: Tensor
    shares: Tensor
    slopes: Tensor


class Sharing(NamedTuple):
    """A rule of sharing that compiled loops implement.

    Attributes:
        rule: ``"linear"``, ``"nearest"`` (the value of the nearest bin with the slope of linear) or
            ``"softmax"``.
        temperature: of the softmax, in bins; None for the other rules.
    """

    rule: str
    temperature: float | None = None


LINEAR, NEAREST = Sharing("linear"), Sharing("nearest")


class Targets(abc.ABC):
    """Shares weights among bins.

    To add a kind, subclass this class in one file and pass an instance as ``targets`` of a
    `KolmogorovLoss`. A kind with an ``option_name`` in a file of this folder is also an option by
    that name, in Python, in configurations and on the command line.

    Example:
        >>> import torch
        >>> from bitfold.kolmogorov import KolmogorovLoss
        >>> class LowerBin(Targets):
        ...     window = 1
        ...
        ...     def __init__(self, num_bins: int) -> None:
        ...         self.num_bins = num_bins
        ...
        ...     def shares(self, index: Tensor) -> Shares:
        ...         bins = index.floor().long().clamp(0, self.num_bins - 1).unsqueeze(0)
        ...         one = torch.ones_like(index).unsqueeze(0)
        ...         return Shares(bins, one, 0 * one)
        >>> kolmogorov = KolmogorovLoss(torch.nn.Linear(3, 3), bins=8, targets=LowerBin(8))
        >>> bool(kolmogorov() > 0)
        True
    """

    option_name: ClassVar[str | None] = None
    """Name in options; None: only an instance can be passed."""

    option_rank: ClassVar[int] = 100
    """Lists of option names show lower ranks first."""

    is_differentiable: ClassVar[bool] = True
    """Whether the shares move when a weight moves a little."""

    is_random: ClassVar[bool] = False
    """Whether each step of training draws new shares."""

    needs_rounded_task: ClassVar[bool] = False
    """Whether training needs a task that computes with rounded weights."""

    suits_rounded_task: ClassVar[bool] = True
    """Whether training may use a task that computes with rounded weights."""

    is_planted_bug: ClassVar[bool] = False
    """Whether K gives the weights no gradient at all, on purpose."""

    num_bins: int
    """Number of bins of the grid."""

    @classmethod
    def from_options(cls, num_bins: int, temperature: float) -> Self:
        """Make targets from the options of a `KolmogorovLoss`.

        The default calls the class with ``num_bins`` alone.

        Args:
            num_bins: number of bins of the grid.
            temperature: in bins; only soft targets use it.
        """
        del temperature
        make: Callable[..., Self] = cls
        return make(num_bins)

    @property
    @abc.abstractmethod
    def window(self) -> int:
        """Number of bins that a weight is shared among."""

    @property
    def sharing(self) -> Sharing | None:
        """The rule that compiled loops may use in place of `shares`; None: `shares` is called."""
        return None

    @abc.abstractmethod
    def shares(self, index: Tensor) -> Shares:
        """The shares of weights at continuous bin indices ``index`` (N,), 0 to num_bins - 1."""

    def perturb(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Move indices before a compiled loop shares them by the rule of `sharing`.

        Args:
            index: floating (N,).

        Returns:
            The moved indices (N,), and whether each still moves with its weight, bool (N,); None
            stands for all of them.
        """
        return index, None

    def with_seed(self, seed: int) -> "Targets":
        """The targets of one call. Only random targets use the seed.

        Args:
            seed: 0 to 2^63 - 1.
        """
        del seed
        return self

"""The weight range: turns weights into values in the units of the bins, and back."""

import abc
from typing import NamedTuple

from torch import Tensor, nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset


class RangeGradients(NamedTuple):
    """Gradients carried from values back through a range.

    Attributes:
        weights: (n,).
        parameters: one for each parameter of the range.
    """

    weights: Tensor
    parameters: list[Tensor]


class WeightRange(nn.Module, abc.ABC):
    """Turns weights into values in the units of the bins.

    Attributes:
        bins: the grid of the values.
        side_bits: bits that describe the range to a decoder.
    """

    bins: Bins
    side_bits: int

    has_rounding_cost: bool = False
    """Whether `precision_nats` is part of K."""

    @property
    @abc.abstractmethod
    def argument(self) -> tuple[float, float] | str:
        """The ``weight_range`` of a `KolmogorovLoss` that makes such a range."""

    @abc.abstractmethod
    def values(self, weights: Tensor, subset: WeightSubset, *, as_sent: bool = False) -> Tensor:
        """Weights in the units of the bins.

        Args:
            weights: floating (n,).
            subset: these weights.
            as_sent: whether to use the range that a decoder has.
        """

    @abc.abstractmethod
    def weights(self, values: Tensor, subset: WeightSubset) -> Tensor:
        """The weights that a decoder makes of values (n,)."""

    @abc.abstractmethod
    def gradients(
        self, grad_values: Tensor, values: Tensor, subset: WeightSubset
    ) -> RangeGradients:
        """Turn the gradient by values (n,) into those by weights and by the range's parameters."""

    def steps(self, *, as_sent: bool = False) -> Tensor | None:
        """Each tensor's step in the units of its weights: (tensors,); None: values are weights.

        Args:
            as_sent: whether to give the steps that a decoder has.
        """
        del as_sent
        return None

    def sent_bits(self, *, are_close: bool) -> int:
        """The bits that describe the range to a decoder.

        Args:
            are_close: whether steps are sent as their differences, see `close_steps`.
        """
        del are_close
        return self.side_bits

    def begin(self, table: ParameterTable, steps_to_rms: float) -> None:
        """Set the steps before training; see `begin_steps`.

        Args:
            table: the described parameters.
            steps_to_rms: steps in a root mean square, > 0.

        Raises:
            KolmogorovError: if the range has no steps.
        """
        del table, steps_to_rms
        raise KolmogorovError(
            "Cannot begin with other steps: expected a loss that learns steps, got a fixed range. "
            "Pass weight_range='auto'."
        )

    def finish(self, *, are_close: bool = False) -> None:
        """Set the range's parameters to what a decoder gets.

        Args:
            are_close: whether steps are sent as their differences, which are short where there are
                eight steps in an octave.
        """
        del are_close

    def precision_nats(self) -> tuple[Tensor | float, list[Tensor]]:
        """The cost of rounding to the task in nats for all weights, and its gradients."""
        return 0.0, []

"""Predictors of a location and a scale: one for each tensor, or one with rows and columns."""

import abc
import math

import torch
from torch import Tensor, nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.bins import Bins
from bitfold.kolmogorov.layout import Layout
from bitfold.kolmogorov.log_mass import DISTRIBUTIONS
from bitfold.kolmogorov.places import Places
from bitfold.kolmogorov.weight_predictor import WeightPredictor

# In bins: a weight in the bin of its location then costs 1e-7 nats, one beside it 16.
SCALE_FLOOR = 1 / 32
# The mean distance from the location, in scales.
_MEAN_DISTANCE = {"laplace": 1.0, "logistic": 2 * math.log(2)}


class ScalePredictor(WeightPredictor, abc.ABC):
    """A Laplace or logistic distribution, whose location each tensor has and whose scale is given.

    Locations and scales are measured in bins, locations from the value 0. A scale is the
    exponential of what is learned, plus 1/32 of a bin.

    Source: none, ours.

    Args:
        distribution: ``"laplace"`` or ``"logistic"``.

    Raises:
        KolmogorovError: if there is no such distribution.
    """

    is_trusted = True

    def __init__(self, distribution: str = "laplace") -> None:
        super().__init__()
        if distribution not in DISTRIBUTIONS:
            raise KolmogorovError(
                f"Cannot make a predictor: expected distribution to be one of "
                f"{', '.join(DISTRIBUTIONS)}, got {distribution!r}. Choose one of these."
            )
        self.distribution = distribution

    def attach(self, layout: Layout, bins: Bins, generator: torch.Generator | None) -> None:
        """Make a location and a scale for each tensor."""
        super().attach(layout, bins, generator)
        self.location = nn.Parameter(torch.zeros(len(layout.blocks)))
        self.log_scale = nn.Parameter(torch.zeros(len(layout.blocks)))

    @abc.abstractmethod
    def log_scales(self, places: Places) -> Tensor:
        """The logarithm of each weight's scale, the floor not yet added: (n,)."""

    def forward(self, places: Places, indices: Tensor) -> Tensor:
        """Minus the logarithm of the bins' masses."""
        scale = self.log_scales(places).exp() + SCALE_FLOOR
        location = self.location[places.boxes] - self.bins.minimum / self.bins.width
        last = self.bins.num_bins - 1
        log_mass = DISTRIBUTIONS[self.distribution]
        return -log_mass(indices - location, scale, indices == 0, indices == last)

    def fit(self, places: Places, values: Tensor) -> None:
        """Each tensor's median, and the mean distance from it as its scale."""
        distances = values / self.bins.width
        for number, whole, part in places.pieces():
            del whole
            centre = distances[part].median()
            mean = (distances[part] - centre).abs().mean() / _MEAN_DISTANCE[self.distribution]
            self.location[number] = centre
            self.log_scale[number] = (mean + SCALE_FLOOR).log()


class PerTensorPredictor(ScalePredictor):
    """One location and scale for each tensor: the predictor that takes fewest bits itself.

    Source: none, ours.

    Args:
        distribution: ``"laplace"`` or ``"logistic"``.

    Example:
        >>> from bitfold.kolmogorov import KolmogorovLoss
        >>> kolmogorov = KolmogorovLoss(nn.Linear(30, 20), predictor=PerTensorPredictor())
        >>> sum(parameter.numel() for parameter in kolmogorov.predictor.parameters())
        4
    """

    def log_scales(self, places: Places) -> Tensor:
        """The tensor's."""
        return self.log_scale[places.boxes]


class RowColumnPredictor(ScalePredictor):
    """A scale that is the product of the tensor's, its row's and its column's.

    Rows are outputs and columns inputs; all offsets of a kernel share them. Tensors of one row or
    column, such as biases, have a scale of their own alone: a scale for each weight would cost as
    much as the weight.

    Source: none, ours; the factors are those of a rank-1 model of log-scales.

    Args:
        distribution: ``"laplace"`` or ``"logistic"``.

    Example:
        >>> from bitfold.kolmogorov import KolmogorovLoss
        >>> kolmogorov = KolmogorovLoss(nn.Linear(30, 20), predictor=RowColumnPredictor())
        >>> [parameter.numel() for parameter in kolmogorov.predictor.parameters()]
        [2, 2, 20, 30]
    """

    def attach(self, layout: Layout, bins: Bins, generator: torch.Generator | None) -> None:
        """Make a factor for each row and column too."""
        super().attach(layout, bins, generator)
        self.first_rows, self.first_columns = list[int | None](), list[int | None]()
        rows = columns = 0
        for block in layout.blocks:
            has_both = block.num_outputs > 1 and block.num_inputs > 1
            self.first_rows.append(rows if has_both else None)
            self.first_columns.append(columns if has_both else None)
            rows += block.num_outputs if has_both else 0
            columns += block.num_inputs if has_both else 0
        self.row_log_scale = nn.Parameter(torch.zeros(rows))
        self.column_log_scale = nn.Parameter(torch.zeros(columns))

    def log_scales(self, places: Places) -> Tensor:
        """The sum of the tensor's, the row's and the column's."""
        boxes = places.boxes
        rows = _padded(self.row_log_scale)[_numbers(self.first_rows, boxes, places.outputs)]
        columns = _padded(self.column_log_scale)[_numbers(self.first_columns, boxes, places.inputs)]
        return self.log_scale[boxes] + rows + columns

    def fit(self, places: Places, values: Tensor) -> None:
        """As for tensors; rows and columns by their mean distance against the tensor's."""
        super().fit(places, values)
        distances = values / self.bins.width
        for number, _, part in places.pieces():
            row, column = self.first_rows[number], self.first_columns[number]
            if row is None or column is None:
                continue
            block = self.layout.blocks[number]
            sizes = (distances[part] - self.location[number]).abs() + SCALE_FLOOR
            outputs, inputs = block.num_outputs, block.num_inputs
            shape = (inputs, outputs, -1) if block.is_transposed else (outputs, inputs, -1)
            box = sizes.view(shape).mean(2)
            table = box.t() if block.is_transposed else box
            mean = table.mean()
            self.row_log_scale[row : row + outputs] = (table.mean(1) / mean).log()
            self.column_log_scale[column : column + inputs] = (table.mean(0) / mean).log()


def _padded(vector: Tensor) -> Tensor:
    """The vector with a 0 behind it, for those that have no number in it."""
    return torch.cat([vector, vector.new_zeros(1)])


def _numbers(firsts: list[int | None], boxes: Tensor, within: Tensor) -> Tensor:
    """Where each weight's row or column stands among all; -1, the last, where it has none."""
    starts = torch.tensor([-1 if first is None else first for first in firsts], device=boxes.device)
    of_weights = starts[boxes]
    return torch.where(of_weights < 0, of_weights, of_weights + within)

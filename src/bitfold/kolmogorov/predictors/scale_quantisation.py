"""Scales rounded to the whole numbers that a decoder gets."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.entropy_coding.scales.whole_scales import (
    DEAD,
    LEAST_OWN,
    MOST_LINE,
    MOST_OWN,
    WholeScales,
    unit_of,
    whole_bins,
    whole_scales,
)
from bitfold.kolmogorov.grid.bin_numbers import numbers_of_tensor
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.sums.hard_sums import Coded, used_factors
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.kolmogorov.weights.parameters import ParameterTable

Flags = NDArray[np.bool_]


class LearnedScales(NamedTuple):
    """Locations and scales as a predictor learned them.

    Attributes:
        bins: the grid.
        layout: of the module.
        boxes: of its tensors, see `scale_table`.
        location: of each tensor, in bins from the value 0: (tensors,).
        log_scale: of each tensor: (tensors,).
        lines: log-scales of all rows and of all columns, by the name of their parameter; empty if
            the predictor has none.
        sides: where the scales of each tensor's rows and columns begin and end among those of all
            tensors, then all rows, then all columns, as `FlatScales` has it.
    """

    bins: Bins
    layout: Layout
    boxes: NDArray[np.int64]
    location: Tensor
    log_scale: Tensor
    lines: dict[str, Tensor]
    sides: NDArray[np.int64]

    @property
    def sizes(self) -> list[int]:
        """How many scales there are of tensors, of rows and of columns; and 1 for the last 0."""
        return [len(self.log_scale), *map(len, self.lines.values()), 1]


@torch.no_grad()
def quantise_scales(
    learned: LearnedScales, table: ParameterTable, weight_range: WeightRange, precision_bits: int
) -> WholeScales:
    """Round locations and scales to what is sent.

    A tensor, row or column is dead if all of its weights decode as the location. A decoder needs no
    scale of it.

    Args:
        learned: locations and scales of the table's weights.
        table: the described parameters.
        weight_range: turns them into values.
        precision_bits: 8 or more for eighths of an octave in rows and columns.
    """
    unit, locations = unit_of(precision_bits), sent_locations(learned).numpy()
    own = whole_scales(learned.log_scale.cpu(), 0, LEAST_OWN, MOST_OWN)
    lines = [
        whole_scales(item.cpu(), unit, -MOST_LINE, MOST_LINE) for item in learned.lines.values()
    ]
    exponents = torch.cat([own, *lines, own.new_zeros(1)]).numpy()
    coded = Coded.of(table, weight_range, learned.boxes)
    if coded is None:
        used = _used_slowly(learned, table, weight_range, locations)
    else:
        used = used_factors(coded, locations, len(exponents))
    (anywhere,) = table.shards.any([torch.from_numpy(used).to(table.device)])
    dead = ~anywhere.cpu().numpy()
    dead[-1] = False
    exponents[dead] = DEAD
    return WholeScales(locations, exponents, unit)


def _used_slowly(
    learned: LearnedScales,
    table: ParameterTable,
    weight_range: WeightRange,
    locations: NDArray[np.int64],
) -> Flags:
    """What `used_factors` gives, for weights on any device and of any type."""
    flags = np.zeros(sum(learned.sizes), np.bool_)
    for number, held in enumerate(table.layout.held):
        parts = [part.cpu() for part in numbers_of_tensor(table, weight_range, number)]
        numbers = torch.cat([*parts, torch.zeros(0, dtype=torch.int64, device="cpu")])
        used = held.box.unflatten(numbers != int(locations[number])).any(2)
        flags[number] = bool(used.any())
        for axis, (first, last) in enumerate(learned.sides[number].tolist()):
            if first >= 0:
                flags[first:last][held.lines(axis)] = used.any(1 - axis).numpy()
    return flags


def sent_locations(learned: LearnedScales) -> Tensor:
    """Each tensor's location in whole bins from the bin of 0: int64, on the CPU."""
    bins = learned.bins
    return whole_bins(learned.location.cpu() - bins.minimum / bins.width - bins.origin)


def sent_parameters(learned: LearnedScales, scales: WholeScales) -> dict[str, Tensor]:
    """Sent scales as one vector for each parameter, by its name: int64, on the module's device."""
    pieces = torch.split(torch.from_numpy(scales.exponents), learned.sizes)[:-1]
    vectors = [torch.from_numpy(scales.locations), *pieces]
    names = ("location", "log_scale", *learned.lines)
    device = learned.location.device
    return {name: item.to(device) for name, item in zip(names, vectors, strict=True)}

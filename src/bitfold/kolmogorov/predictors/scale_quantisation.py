"""Scales rounded to the whole numbers that a decoder gets."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bitfold.entropy_coding.scales.whole_scales import (
    DEAD,
    LEAST_OWN,
    MOST_LINE,
    MOST_OWN,
    Lines,
    SentScale,
    unit_of,
    whole_bins,
    whole_scales,
)
from bitfold.kolmogorov.grid.bin_numbers import numbers_of_tensor
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.rounding import used_plainly
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.kolmogorov.weights.parameters import ParameterTable


class LearnedScales(NamedTuple):
    """Locations and scales as a predictor learned them.

    Attributes:
        bins: the grid.
        layout: of the module.
        location: of each tensor, in bins from the value 0: (tensors,).
        log_scale: of each tensor: (tensors,).
        lines: log-scales of all rows and of all columns, by the name of their parameter; empty if
            the predictor has none.
        first_lines: for each tensor the numbers of its first row and its first column; empty for
            tensors without lines.
    """

    bins: Bins
    layout: Layout
    location: Tensor
    log_scale: Tensor
    lines: dict[str, Tensor]
    first_lines: Sequence[tuple[int, ...]]


@torch.no_grad()
def quantise_scales(
    learned: LearnedScales, table: ParameterTable, weight_range: WeightRange, precision_bits: int
) -> list[SentScale]:
    """Round locations and scales to what is sent, one `SentScale` for each tensor.

    A tensor, row or column is dead if all of its weights decode as the location. A decoder needs no
    scale of it.

    Args:
        learned: locations and scales of the table's weights.
        table: the described parameters.
        weight_range: turns them into values.
        precision_bits: 8 or more for eighths of an octave in rows and columns.
    """
    unit = unit_of(precision_bits)
    own = whole_scales(learned.log_scale.cpu(), 0, LEAST_OWN, MOST_OWN).tolist()
    locations = sent_locations(learned).tolist()
    factors = [
        whole_scales(item.cpu(), unit, -MOST_LINE, MOST_LINE).numpy()
        for item in learned.lines.values()
    ]
    found = []
    in_lines = _used_lines(locations, table, weight_range)
    for number, location in enumerate(locations):
        alive = [item.cpu().numpy() for item in in_lines[2 * number : 2 * number + 2]]
        if not alive[0].any():
            found.append(SentScale(location, DEAD))
            continue
        lines = []
        for axis, first in enumerate(learned.first_lines[number]):
            part = factors[axis][first : first + len(alive[axis])]
            lines.append(Lines(np.where(alive[axis], part, DEAD), unit))
        found.append(SentScale(location, own[number], tuple(lines)))
    return found


def _used_lines(
    locations: Sequence[int], table: ParameterTable, weight_range: WeightRange
) -> list[Tensor]:
    """Whether each row, then each column of each tensor has a weight that is not the location."""
    flags = list[Tensor]()
    steps = weight_range.steps(as_sent=True)
    lengths = [1.0] * len(locations) if steps is None else steps.tolist()
    views = table.plain_views()
    tensors = zip(table.layout.held, locations, lengths, strict=True)
    for number, (held, location, step) in enumerate(tensors):
        box, bins = held.box, weight_range.bins
        if views is not None:
            sides = used_plainly(views[number], step, bins, location, box.in_memory[:2])
            lines = sides[::-1] if box.is_transposed else sides
        else:
            used = box.unflatten(_is_used(location, table, weight_range, number)).any(2)
            lines = used.any(1), used.any(0)
        flags += [held.spread(lines[axis], axis) for axis in (0, 1)]
    return table.shards.any(flags)


def sent_locations(learned: LearnedScales) -> Tensor:
    """Each tensor's location in whole bins from the bin of 0: int64, on the CPU."""
    bins = learned.bins
    return whole_bins(learned.location.cpu() - bins.minimum / bins.width - bins.origin)


def sent_parameters(learned: LearnedScales, scales: Sequence[SentScale]) -> dict[str, Tensor]:
    """Sent scales as one vector for each parameter, by its name: int64, on the module's device."""
    own = torch.tensor([scale.own for scale in scales], device="cpu")
    found = {
        "location": torch.tensor([scale.location for scale in scales], device="cpu"),
        "log_scale": own,
    }
    for axis, name in enumerate(learned.lines):
        pieces = []
        for number, scale in enumerate(scales):
            if not learned.first_lines[number]:
                continue
            block = learned.layout.blocks[number]
            dead = np.full(block.box[axis], DEAD)
            pieces.append(scale.lines[axis].exponents if scale.lines else dead)
        found[name] = torch.from_numpy(np.concatenate([np.zeros(0, np.int64), *pieces]))
    return {name: item.to(learned.location.device) for name, item in found.items()}


def _is_used(
    location: int, table: ParameterTable, weight_range: WeightRange, number: int
) -> Tensor:
    """Whether each weight of a tensor decodes as another value than the location: bool (n,)."""
    parts = [part != location for part in numbers_of_tensor(table, weight_range, number)]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.bool, device=table.device)

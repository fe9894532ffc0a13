"""A predictor's scales as a decoder gets them."""

from collections.abc import Iterator

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
from bitfold.kolmogorov.grid.bin_numbers import numbers_of
from bitfold.kolmogorov.grid.ranges import WeightRange
from bitfold.kolmogorov.predictors.laplace_logistic import ScalePredictor
from bitfold.kolmogorov.weights.layout import Block
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset

# How many weights are rounded at a time, which bounds the memory.
_CHUNK = 2**20


@torch.no_grad()
def code_scales(
    predictor: ScalePredictor,
    table: ParameterTable,
    weight_range: WeightRange,
    precision_bits: int,
) -> list[SentScale]:
    """Round a predictor's locations and scales to what is sent, one for each tensor.

    Whether a tensor, a row or a column is dead depends on the weights: it is if all of them are
    decoded as the location.

    Source: none, ours.

    Args:
        predictor: of the table's weights.
        table: the described parameters.
        weight_range: turns them into values.
        precision_bits: 8 or more for eighths of an octave in rows and columns.
    """
    unit = unit_of(precision_bits)
    own = whole_scales(predictor.log_scale.cpu(), 0, LEAST_OWN, MOST_OWN).tolist()
    locations = sent_locations(predictor).tolist()
    factors = [
        whole_scales(item.cpu(), unit, -MOST_LINE, MOST_LINE).numpy()
        for item in predictor.line_log_scales()
    ]
    found = []
    used = torch.split(_is_used(predictor, table, weight_range), table.sizes)
    for number, block in enumerate(predictor.layout.blocks):
        in_lines = as_box(used[number], block).any(2)
        alive = [in_lines.any(1 - axis).cpu().numpy() for axis in (0, 1)]
        if not alive[0].any():
            found.append(SentScale(locations[number], DEAD))
            continue
        lines = []
        for axis, first in enumerate(predictor.first_lines(number)):
            part = factors[axis][first : first + len(alive[axis])]
            lines.append(Lines(np.where(alive[axis], part, DEAD), unit))
        found.append(SentScale(locations[number], own[number], tuple(lines)))
    return found


def _is_used(predictor: ScalePredictor, table: ParameterTable, weight_range: WeightRange) -> Tensor:
    """Whether each weight is decoded as something else than its tensor's location: bool (N,)."""
    weights, locations = table.values(), sent_locations(predictor).tolist()
    used = torch.empty_like(weights, dtype=torch.bool)
    for part, some in table.all_weights().split(_CHUNK):
        numbers, within = numbers_of(weights[part], weight_range, some), used[part]
        for number, _, piece in some.pieces():
            torch.ne(numbers[piece], locations[number], out=within[piece])
    return used


def sent_locations(predictor: ScalePredictor) -> Tensor:
    """Each tensor's location in whole bins from the one of 0: int64, on the CPU."""
    bins = predictor.bins
    return whole_bins(predictor.location.cpu() - bins.minimum / bins.width - bins.origin)


def as_parameters(predictor: ScalePredictor, scales: list[SentScale]) -> dict[str, Tensor]:
    """What is sent as one vector for each of a predictor's, by its name: int64, on its device."""
    own = torch.tensor([scale.own for scale in scales])
    found = {"location": torch.tensor([scale.location for scale in scales]), "log_scale": own}
    for axis, name in enumerate(predictor.line_names):
        pieces = []
        for number, scale in enumerate(scales):
            if not predictor.first_lines(number):
                continue
            block = predictor.layout.blocks[number]
            dead = np.full((block.num_outputs, block.num_inputs)[axis], DEAD)
            pieces.append(scale.lines[axis].exponents if scale.lines else dead)
        found[name] = torch.from_numpy(np.concatenate([np.zeros(0, np.int64), *pieces]))
    return {name: item.to(predictor.location.device) for name, item in found.items()}


def numbers_in_parts(
    table: ParameterTable, weight_range: WeightRange, number: int
) -> Iterator[Tensor]:
    """The bins of one tensor's weights, some after the others; see `numbers_of`.

    Args:
        table: the described parameters, as they are.
        weight_range: turns them into values.
        number: of the tensor.
    """
    layout, flat = table.layout, table.parameters[number].detach().reshape(-1)
    subset = WeightSubset(layout, layout.starts[number], layout.starts[number + 1], flat.device)
    for part, some in subset.split(_CHUNK):
        yield numbers_of(flat[part], weight_range, some)


def as_box(numbers: Tensor, block: Block) -> Tensor:
    """Numbers in flat order as (rows, columns, offsets)."""
    if block.is_transposed:
        return numbers.view(block.num_inputs, block.num_outputs, -1).transpose(0, 1)
    return numbers.view(block.num_outputs, block.num_inputs, -1)

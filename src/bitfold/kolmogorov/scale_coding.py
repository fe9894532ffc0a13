"""Scales of tensors, rows and columns as a decoder gets them: whole numbers, coded as they come.

A scale is a power of two with whole numbers for exponents: an eighth of the tensor's, plus the
row's, plus the column's. Rows and columns in which no weight is left have no number, only a flag;
none of their weights is coded at all. All probabilities are quotients of small whole numbers that
encoder and decoder count alike.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.kolmogorov.exact import exact_type
from bitfold.kolmogorov.layout import Block, Layout
from bitfold.kolmogorov.out_of_range import decode, overshoot_bins
from bitfold.kolmogorov.parameters import ParameterTable
from bitfold.kolmogorov.places import Places
from bitfold.kolmogorov.ranges import WeightRange
from bitfold.kolmogorov.scale import ScalePredictor
from bitfold.kolmogorov.weight_predictor import WeightPredictor

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Exponents of a tensor's scale are eighths; a scale that is off by a 16th of an octave costs a
# thousandth of a bit a weight.
OWN_STEP = math.log(2) / 8
# Rows and columns have few weights to know their scales by.
LINE_STEP = math.log(2)
# A tensor's exponent is one of 256, from 2^-16 to 2^16 bins; a line's lies in -15 to 15.
OWN_BITS, LEAST_OWN = 8, -128
MOST_LINE = 15
# What is thought to have been seen of each exponent of a line before the first one, in 16ths.
_SEEN = 16


class Lines(NamedTuple):
    """Rows or columns of one tensor.

    Attributes:
        name: of the predictor's parameter that holds their factors.
        start: of the first of them in it.
        is_alive: whether one of a line's weights is not 0: (lines,).
    """

    name: str
    start: int
    is_alive: Flags


class CodedScales(NamedTuple):
    """The scales of a whole module as they are sent.

    Attributes:
        bits: that they take.
        parameters: what the predictor's parameters are for a decoder, by name.
        is_dead: whether a weight lies in a row, column or tensor of zeros: bool (N,).
    """

    bits: float
    parameters: dict[str, Tensor]
    is_dead: Tensor


def has_coded_scales(predictor: WeightPredictor) -> TypeGuard[ScalePredictor]:
    """Whether a predictor is sent like this: one of scales around 0."""
    return isinstance(predictor, ScalePredictor) and predictor.is_centred


@torch.no_grad()
def code_scales(
    predictor: ScalePredictor, table: ParameterTable, weight_range: WeightRange, places: Places
) -> CodedScales:
    """Round a predictor's scales to what is sent, and count the bits.

    Each tensor has a bit that says whether any weight of it is not 0; if so, 8 bits for its
    exponent. Rows and columns have a flag each, see `flag_bits`, and those with weights an
    exponent, see `exponent_bits`; counts begin anew for the rows and for the columns of each
    tensor. Columns are told beside the rows of the last tensor that has any, if as many columns
    belong to each row: neurons that are dead there mostly are so here.

    Source: none, ours.

    Args:
        predictor: centred, with scales for tensors, and perhaps for rows and columns.
        table: the described parameters.
        weight_range: turns them into values.
        places: all weights.
    """
    numbers = whole_numbers(table, weight_range, places)
    sent = {name: item.detach().clone() for name, item in predictor.named_parameters()}
    is_dead = np.zeros(len(numbers), dtype=bool)
    own, bits = _rounded(sent["log_scale"], OWN_STEP, LEAST_OWN, -LEAST_OWN - 1), 0.0
    neurons = np.ones(1, dtype=bool)
    sent["log_scale"] = (own * OWN_STEP).to(sent["log_scale"])
    for number, box, lines in boxes_of(predictor, numbers):
        bits += 1
        dead = is_dead[predictor.layout.starts[number] : predictor.layout.starts[number + 1]]
        if not box.any():
            dead[:] = True
            continue
        bits += OWN_BITS
        of_weights = np.zeros(box.shape, dtype=bool)
        for axis, group in enumerate(lines):
            part = slice(group.start, group.start + len(group.is_alive))
            exponents = _rounded(sent[group.name][part], LINE_STEP, -MOST_LINE, MOST_LINE)
            sent[group.name][part] = (exponents * LINE_STEP).to(sent[group.name])
            is_beside = np.ones_like(group.is_alive)
            if axis == 1 and len(is_beside) % len(neurons) == 0:
                is_beside = np.repeat(neurons, len(is_beside) // len(neurons))
            bits += flag_bits(group.is_alive, is_beside)
            bits += exponent_bits(exponents.numpy()[group.is_alive])
            of_weights |= np.expand_dims(~group.is_alive, (1 - axis, 2))
        neurons = lines[0].is_alive if lines else neurons
        dead[:] = _flat(of_weights, predictor.layout.blocks[number])
    return CodedScales(bits, sent, torch.from_numpy(is_dead))


def flag_bits(flags: Flags, is_beside: Flags) -> float:
    """Bits of flags, each under (2 n + 1) / (2 m + 2) when n of the last m like it were so.

    A flag is like others with the same flag before them, and the same one beside them; before the
    first stands a true one.

    Source: Krichevsky & Trofimov 1981 for the probability.

    Args:
        flags: (n,).
        is_beside: (n,), known to the decoder.

    Example:
        >>> every = np.ones(100, dtype=bool)
        >>> flag_bits(every[:1], every[:1]), round(flag_bits(every, every), 1)
        (1.0, 4.1)
    """
    counts = np.zeros((2, 2, 2), np.int64)
    before, bits = 1, 0.0
    for flag, beside in zip(flags.astype(int).tolist(), is_beside.astype(int), strict=True):
        seen = counts[before, beside]
        bits -= math.log2((2 * seen[flag] + 1) / (2 * seen.sum() + 2))
        seen[flag] += 1
        before = flag
    return bits


def exponent_bits(exponents: Ints) -> float:
    """Bits of whole numbers, each under how often it was seen before.

    One counts 16, and at first k counts 16 halved abs(k) times, at least 1.

    Args:
        exponents: (n,), -15 to 15.

    Example:
        >>> round(exponent_bits(np.array([0])), 2), round(exponent_bits(np.zeros(100, int)), 1)
        (2.09, 18.6)
    """
    counts = [max(_SEEN >> abs(k), 1) for k in range(-MOST_LINE, MOST_LINE + 1)]
    total, bits = sum(counts), 0.0
    for exponent in exponents.tolist():
        bits -= math.log2(counts[exponent + MOST_LINE] / total)
        counts[exponent + MOST_LINE] += _SEEN
        total += _SEEN
    return bits


def whole_numbers(table: ParameterTable, weight_range: WeightRange, places: Places) -> Ints:
    """How many steps each weight decodes as: (N,)."""
    bins = weight_range.bins
    weights = table.values()
    weights = weights.to(exact_type(weights.device, weights.dtype))
    values = weight_range.values(weights, places, as_sent=True)
    decoded = decode(bins.nearest(values), overshoot_bins(values, bins), bins)
    # Weights that are not finite have no bits either; here they only must not be dead.
    numbers: Ints = (
        np.nan_to_num(decoded.double().cpu().numpy(), nan=1.0).clip(-1e9, 1e9).astype(np.int64)
    )
    return numbers


def boxes_of(
    predictor: ScalePredictor, numbers: Ints
) -> Iterator[tuple[int, Ints, tuple[Lines, ...]]]:
    """Each tensor's number, its weights as (rows, columns, offsets), and its rows and columns.

    Args:
        predictor: whose tensors they are.
        numbers: (N,), of all weights.
    """
    layout: Layout = predictor.layout
    for number, block in enumerate(layout.blocks):
        flat = numbers[layout.starts[number] : layout.starts[number + 1]]
        if block.is_transposed:
            box = flat.reshape(block.num_inputs, block.num_outputs, -1).swapaxes(0, 1)
        else:
            box = flat.reshape(block.num_outputs, block.num_inputs, -1)
        row, column = predictor.first_rows[number], predictor.first_columns[number]
        lines: tuple[Lines, ...] = ()
        if row is not None and column is not None:
            lines = (
                Lines("row_log_scale", row, np.asarray(box.any((1, 2)))),
                Lines("column_log_scale", column, np.asarray(box.any((0, 2)))),
            )
        yield number, box, lines


def _rounded(logarithms: Tensor, step: float, least: int, most: int) -> Tensor:
    exponents = (logarithms.double().cpu() / step).round().nan_to_num(0.0)
    return exponents.clamp(least, most).long()


def _flat(of_weights: Flags, block: Block) -> Flags:
    return (of_weights.swapaxes(0, 1) if block.is_transposed else of_weights).reshape(-1)

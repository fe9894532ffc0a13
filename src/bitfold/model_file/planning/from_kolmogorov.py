"""The plan of a file that codes exactly what a `KolmogorovLoss` describes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.errors import ModelFileError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.grid.bin_numbers import numbers_of_tensor
from bitfold.kolmogorov.grid.directions import lengthen_directions
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.model_file.planning.from_coordinates import coordinate_network
from bitfold.model_file.syntax.plan import (
    ABSENT,
    FLOATS,
    HALVES,
    METHODS,
    WHOLES,
    FixedGrid,
    Plan,
    TensorPlan,
    compact,
)
from bitfold.model_file.syntax.structure import COMPLEX, WHOLE, Item, tensors_of
from bitfold.runtime.sharding.sharded_modules import whole_tensor

# Further out, numbers plus an origin could be no whole numbers of float64 any more.
_MOST_BINS = 2**50


def plan_of_kolmogorov(loss: KolmogorovLoss) -> Plan:
    """Plan to code exactly what a loss describes; numbers are made when they are written.

    All processes among which the weights are divided plan, and load the tensors, in one order.

    Raises:
        ModelFileError: if its predictor is neither a scale predictor nor a coordinate predictor of
            the kind ``"cross_entropy"``, or a parameter of it is not finite. Loading a tensor
            raises one if a weight is not.
        KolmogorovError: if its module has changed.
    """
    loss.table.check()
    lengthen_directions(loss.table, loss.weight_range)
    coding = loss.predictor.file_coding(loss.table, loss.weight_range, loss.predictor_bits)
    coordinate = None
    if coding.network is not None:
        coordinate = coordinate_network(coding.network, loss.predictor_bits)
    described = _described(loss, METHODS.index(coding.method))
    if coding.scales:
        for name, scale in zip(loss.table.names, coding.scales, strict=True):
            described[name].scale = scale
    tensors = []
    for item, tensor in tensors_of(loss.table.module):
        plan = described.get(item.name)
        tensors.append(_plain_in_turn(item, tensor, loss.rest_bits) if plan is None else plan)
    grid = None
    if loss.weight_range.steps() is None:
        bins = loss.bins
        grid = FixedGrid(bins.minimum, bins.maximum, bins.num_bins)
    return Plan(tensors, coding.distribution, grid, coordinate)


def _plain_in_turn(item: Item, tensor: Tensor, rest_bits: int) -> TensorPlan:
    if rest_bits == 0 or item.size == 0:
        return TensorPlan(item, ABSENT)
    method = WHOLES if item.kind == WHOLE else HALVES if rest_bits == 16 else FLOATS
    return TensorPlan(item, method, load=lambda: plain(item, whole_tensor(tensor), rest_bits))


def plain(item: Item, tensor: Tensor, rest_bits: int) -> TensorPlan:
    """Plan to write a tensor's numbers as they are, in 16 or 32 bits each; with 0 it is left out.

    Raises:
        ModelFileError: if whole numbers do not fit into 32 bits.
    """
    if rest_bits == 0 or item.size == 0:
        return TensorPlan(item, ABSENT)
    flat = tensor.reshape(-1).resolve_conj().resolve_neg()
    if item.kind == WHOLE:
        return TensorPlan(item, WHOLES, raw=_wholes(item, flat))
    if item.kind == COMPLEX:
        flat = torch.view_as_real(flat).reshape(-1)
    if rest_bits == 16:
        halves = flat.to(torch.bfloat16).view(torch.int16).cpu().numpy()
        return TensorPlan(item, HALVES, raw=halves.astype("<i2"))
    return TensorPlan(item, FLOATS, raw=flat.to(torch.float32).cpu().numpy().astype("<f4"))


def _wholes(item: Item, flat: Tensor) -> NDArray[np.int32]:
    numbers = flat.cpu().numpy()
    limits = np.iinfo(np.int32)
    if numbers.size and not limits.min <= numbers.min() <= numbers.max() <= limits.max:
        raise ModelFileError(
            f"Cannot write {item.name!r}: expected whole numbers of 32 bits, got "
            f"{numbers.min()} to {numbers.max()}. Leave it out of the module's saved buffers."
        )
    return numbers.astype("<i4")


@torch.no_grad()
def _described(loss: KolmogorovLoss, method: int) -> dict[str, TensorPlan]:
    table, weight_range = loss.table, loss.weight_range
    sent_steps = weight_range.steps(as_sent=True)
    steps = [0.0] * len(table.names) if sent_steps is None else sent_steps.tolist()
    items = {item.name: item for item, _ in tensors_of(table.module)}
    plans = {}
    for number, (name, step) in enumerate(zip(table.names, steps, strict=True)):
        plan = TensorPlan(items[name], method, step=step)
        plan.load = partial(_with_numbers, plan, loss, number)
        plans[name] = plan
    return plans


@torch.no_grad()
def _with_numbers(plan: TensorPlan, loss: KolmogorovLoss, number: int) -> TensorPlan:
    """The plan of a tensor with its numbers, put together from those of all processes."""
    table = loss.table
    numbers, at = np.empty(table.held_sizes[number], np.int64), 0
    for part in numbers_of_tensor(table, loss.weight_range, number):
        numbers[at : at + len(part)] = part.cpu().numpy()
        at += len(part)
    farthest = _check_weights(table, number, numbers)
    if not table.shards.is_whole:
        dtype = torch.int32 if farthest < 2**31 else torch.int64
        own = torch.from_numpy(numbers).to(table.device, dtype)
        numbers = table.shards.gathered(own, table.parameters[number]).view(-1).cpu().numpy()
    return replace(plan, numbers=compact(numbers), load=None)


def _check_weights(table: ParameterTable, number: int, numbers: NDArray[np.int64]) -> int:
    """Check that all weights of a tensor can be coded; returns the farthest bin."""
    name, (weights,) = table.names[number], table.shards.own([table.parameters[number]])
    (others,) = table.shards.totals([(~torch.isfinite(weights)).sum()])
    extremes = int(numbers.max(initial=0)), -int(numbers.min(initial=0))
    here = torch.tensor(max(extremes), device=table.device)
    num_other, farthest = int(others), int(table.shards.largest(here))
    if num_other or farthest > _MOST_BINS:
        got = f"{num_other} that are not" if num_other else f"one {farthest:,} bins away"
        raise ModelFileError(
            f"Cannot write {name!r}: expected finite weights within 2^50 bins, got {got}. "
            "Look for NaN or infinite weights, and for steps that are far too short."
        )
    return farthest

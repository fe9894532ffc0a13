"""What a `KolmogorovLoss` describes, as a plan of a model file."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.codec.plan import (
    ABSENT,
    FLOATS,
    HALVES,
    ROWS,
    SCALES,
    WHOLES,
    FixedGrid,
    Plan,
    TensorPlan,
    compact,
)
from bitfold.codec.structure import COMPLEX, TRANSPOSED, WHOLE, Item, tensors_of
from bitfold.errors import ModelFileError
from bitfold.kolmogorov import KolmogorovLoss, RowColumnPredictor
from bitfold.kolmogorov.exact import exact_type
from bitfold.kolmogorov.integer_tables import MAX_DISTANCE
from bitfold.kolmogorov.ranges import FixedRange, LearnedRange
from bitfold.kolmogorov.scale import ScalePredictor
from bitfold.kolmogorov.sent_scales import whole_bins


def plan_of_kolmogorov(loss: KolmogorovLoss) -> Plan:
    """Code exactly what a loss describes.

    Raises:
        ModelFileError: if its predictor is of one's own, or a weight is not finite.
        KolmogorovError: if its module is no longer the one described.
    """
    loss.out_of_range_count()  # refuses a module that has changed
    predictor = loss.predictor
    if not isinstance(predictor, ScalePredictor):
        raise ModelFileError(
            "Cannot write a model file: expected the predictor per_tensor or row_column, got "
            f"{type(predictor).__name__}. Write it without the loss, or fit another predictor by "
            "bitfold.choose_predictor(loss)."
        )
    described = _described(loss, predictor)
    tensors = []
    for item, tensor in tensors_of(loss.table.module):
        plan = described.get(item.name)
        tensors.append(plain(item, tensor, loss.rest_bits) if plan is None else plan)
    grid = None
    if isinstance(loss.weight_range, FixedRange):
        bins = loss.bins
        grid = FixedGrid(bins.minimum, bins.maximum, bins.num_bins)
    return Plan(tensors, predictor.distribution, grid)


def plain(item: Item, tensor: Tensor, rest_bits: int) -> TensorPlan:
    """A tensor whose numbers are written as they are, in so many bits each.

    Raises:
        ModelFileError: if whole numbers have more than 32 bits.
    """
    if rest_bits == 0 or item.size == 0:
        return TensorPlan(item, ABSENT)
    flat = tensor.reshape(-1)
    if item.kind == WHOLE:
        return TensorPlan(item, WHOLES, raw=_wholes(item, flat))
    if item.kind == COMPLEX:
        flat = torch.view_as_real(flat.resolve_conj()).reshape(-1)
    if rest_bits == 16:
        halves = flat.to(torch.bfloat16).view(torch.int16).cpu().numpy()
        return TensorPlan(item, HALVES, raw=halves.astype("<i2"))
    return TensorPlan(item, FLOATS, raw=flat.to(torch.float32).cpu().numpy().astype("<f4"))


def _wholes(item: Item, flat: Tensor) -> NDArray[np.int32]:
    numbers = flat.to(torch.int64).cpu().numpy()
    limits = np.iinfo(np.int32)
    if numbers.size and not limits.min <= numbers.min() <= numbers.max() <= limits.max:
        raise ModelFileError(
            f"Cannot write {item.name!r}: expected whole numbers of 32 bits, got "
            f"{numbers.min()} to {numbers.max()}. Leave it out of the module's saved buffers."
        )
    return numbers.astype("<i4")


@torch.no_grad()
def _described(loss: KolmogorovLoss, predictor: ScalePredictor) -> dict[str, TensorPlan]:
    sent = {name: item.cpu().numpy() for name, item in predictor.sent(loss.predictor_bits).items()}
    steps: list[float] = [0.0] * len(loss.table.names)
    if isinstance(loss.weight_range, LearnedRange):
        steps = loss.weight_range.steps(as_sent=True).tolist()
    items = {item.name: item for item, _ in tensors_of(loss.table.module)}
    numbers = torch.split(_numbers(loss, predictor), loss.table.sizes)
    plans = {}
    for number, name in enumerate(loss.table.names):
        plan = TensorPlan(
            items[name],
            ROWS if isinstance(predictor, RowColumnPredictor) else SCALES,
            compact(numbers[number].cpu().numpy()),
            step=steps[number],
            location=int(sent["location"][number]),
            scale=int(sent["log_scale"][number]),
        )
        row, column = predictor.first_rows[number], predictor.first_columns[number]
        if row is not None and column is not None:
            block = predictor.layout.blocks[number]
            rows = sent["row_log_scale"][row : row + block.num_outputs]
            columns = sent["column_log_scale"][column : column + block.num_inputs]
            is_transposed = items[name].kind == TRANSPOSED
            plan.outer, plan.inner = (columns, rows) if is_transposed else (rows, columns)
        plans[name] = plan
    return plans


def _numbers(loss: KolmogorovLoss, predictor: ScalePredictor) -> Tensor:
    """Index of each weight's bin, from the one nearest to 0: int64 (N,)."""
    weights, bins = loss.table.values(), loss.bins
    exact = exact_type(weights.device, weights.dtype)
    numbers = torch.empty(len(weights), dtype=torch.int64, device=weights.device)
    for part, some in loss.portions.everything().split(predictor.bits_chunk):
        values = loss.weight_range.values(weights[part].to(exact), some, as_sent=True)
        indices = (values - bins.minimum) / bins.width
        if not bool((indices.abs() < MAX_DISTANCE // 2).all()):
            raise ModelFileError(
                "Cannot write a model file: expected finite weights within 2^51 bins, got others. "
                "Look for NaN or infinite weights, and for steps that are far too short."
            )
        numbers[part] = whole_bins(indices) - predictor.origin
    return numbers

"""The description length of a module's weights, tensor by tensor."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bitfold.kolmogorov.description.bits import Described, coded_weights
from bitfold.kolmogorov.grid.decoded_weights import decoded_weights
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.predictors.sent_predictor import SentPredictor
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype
from bitfold.runtime.display.html_tables import html_table


class ReportRow(NamedTuple):
    """The bits of one tensor.

    Attributes:
        name: of the parameter.
        num_weights: of the parameter.
        bits: of its weights, escape codes included.
        num_zeros: weights that decode as 0.
        num_out_of_range: weights outside the range of the bins.
    """

    name: str
    num_weights: int
    bits: float
    num_zeros: int
    num_out_of_range: int

    @property
    def bits_per_weight(self) -> float:
        """Bits over weights."""
        return self.bits / self.num_weights


# Number of weights that are compared at a time, which bounds the memory.
_CHUNK = 2**18
_HEAD = ("", "weights", "bits", "bits per weight", "zeros", "out of range")


@dataclass(frozen=True, eq=False)
class Report:
    """The bits of each tensor of a module.

    Args:
        rows: one for each described tensor, in the module's order.

    Example:
        >>> print(Report((ReportRow("weight", 6, 12.0, 2, 0), ReportRow("bias", 3, 9.0, 0, 1))))
                weights  bits  bits per weight  zeros  out of range
        weight        6  12.0            2.000      2             0
        bias          3   9.0            3.000      0             1
        total         9  21.0            2.333      2             1
    """

    rows: tuple[ReportRow, ...]

    @property
    def total(self) -> ReportRow:
        """All tensors together."""
        numbers = [sum(column) for column in zip(*(row[1:] for row in self.rows), strict=True)]
        return ReportRow("total", int(numbers[0]), numbers[1], int(numbers[2]), int(numbers[3]))

    def _repr_html_(self) -> str:
        rows = [_cells(row) for row in (*self.rows, self.total)]
        return html_table("Bits of each tensor", _HEAD, rows, emphasised=[len(rows) - 1])

    def __str__(self) -> str:
        lines = [_HEAD, *(_cells(row) for row in (*self.rows, self.total))]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if number else cell.ljust(width)
                for number, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )


def _cells(row: ReportRow) -> tuple[str, ...]:
    return (
        row.name,
        f"{row.num_weights:,}",
        f"{row.bits:,.1f}",
        f"{row.bits_per_weight:.3f}",
        f"{row.num_zeros:,}",
        f"{row.num_out_of_range:,}",
    )


def make_report(described: Described, as_sent: SentPredictor, all_weights: WeightSubset) -> Report:
    """Count the bits of each tensor.

    Args:
        described: the weights and their code.
        as_sent: the predictor that a decoder has.
        all_weights: of the table.
    """
    table, weight_range, predictor = described
    bits = predictor.bits_by_tensor(table, weight_range, as_sent)
    if bits is None:
        coded = coded_weights(described, as_sent, all_weights)
        bits = _sums([coded.bits, coded.escapes], all_weights)
    counts = _sums(_zeros_and_outsiders(table, weight_range, all_weights), all_weights)
    return Report(
        tuple(
            ReportRow(name, size, sum(of_tensor), int(zeros), int(outside))
            for name, size, of_tensor, (zeros, outside) in zip(
                table.names, table.sizes, bits, counts, strict=True
            )
        )
    )


@torch.no_grad()
def _zeros_and_outsiders(
    table: ParameterTable, weight_range: WeightRange, all_weights: WeightSubset
) -> list[Tensor]:
    """Whether each weight decodes as 0, and whether it lies out of range: both bool (N,)."""
    weights = table.values()
    is_zero = decoded_weights(table, weight_range, all_weights) == 0
    is_outside = torch.empty_like(is_zero)
    dtype = accumulation_dtype(weights.device, weights.dtype)
    for part, some in all_weights.split(_CHUNK):
        values = weight_range.values(weights[part].to(dtype), some, as_sent=True)
        is_outside[part] = weight_range.bins.outside(values)
    return [is_zero, is_outside]


def _sums(columns: Sequence[Tensor], all_weights: WeightSubset) -> list[Any]:
    """The sum of each column, (N,), over each tensor."""
    # Summed piece by piece: stacking the columns would take as much memory again.
    starts = all_weights.layout.starts
    by_tensor = [
        torch.stack([column[first:end].sum() for column in columns])
        for first, end in pairwise(starts)
    ]
    (sums,) = all_weights.layout.shards.totals([torch.stack(by_tensor)])
    found: list[Any] = sums.tolist()
    return found

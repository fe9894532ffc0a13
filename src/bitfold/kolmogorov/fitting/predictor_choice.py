"""The result of `choose_predictor`: a row for each weight predictor, and a reason."""

import copy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bitfold.kolmogorov.loss import KolmogorovLoss
from bitfold.runtime.display.html_tables import html_table


class ChoiceRow(NamedTuple):
    """The description length by one predictor.

    Attributes:
        name: of the predictor.
        total_bits: of the whole description.
        weights_bits: of the weights, escape codes included.
        sending_bits: of the predictor itself.
        predictor_bits: precision at which the description is shortest.
        seconds: that the trial took.
    """

    name: str
    total_bits: float
    weights_bits: float
    sending_bits: float
    predictor_bits: int
    seconds: float

    @property
    def other_bits(self) -> float:
        """Bits of everything else, such as ranges and buffers: only `mse` adds to them."""
        return self.total_bits - self.weights_bits - self.sending_bits


class Skipped(NamedTuple):
    """A predictor that was not tried.

    Attributes:
        name: of the predictor.
        reason: why it was not.
    """

    name: str
    reason: str


_HEAD = ("", "total bits", "weights", "predictor", "other", "sent at", "seconds")


@dataclass(frozen=True, eq=False)
class PredictorChoice:
    """The weight predictor that describes a module in the fewest bits, and why.

    Args:
        rows: one for each predictor, the shortest description first.
        skipped: predictors that were not tried.
        kolmogorov: the loss with the best predictor, fitted to the weights, ready to train with.
        chosen: settings of that loss, with its predictor as it was before it was attached.
    """

    rows: tuple[ChoiceRow, ...]
    skipped: tuple[Skipped, ...]
    kolmogorov: KolmogorovLoss
    chosen: dict[str, Any] = field(repr=False)

    @property
    def best(self) -> ChoiceRow:
        """The shortest description."""
        return self.rows[0]

    @property
    def settings(self) -> dict[str, Any]:
        """Settings for a `KolmogorovLoss`, with a new predictor at each access."""
        return {**self.chosen, "predictor": copy.deepcopy(self.chosen["predictor"])}

    @property
    def reason(self) -> str:
        """A sentence that compares the best predictor with the best one of another kind."""
        best, others = self.best, self.rows[1:]
        if not others:
            return f"{best.name} is the only one that was tried."
        kind = best.name.split(",")[0]
        other = next((row for row in others if row.name.split(",")[0] != kind), others[0])
        saved = other.total_bits - best.total_bits
        return f"{best.name} is {saved:,.0f} bits shorter than {other.name}: {_why(best, other)}."

    def _repr_html_(self) -> str:
        note = "\n".join([*self._skipped_lines(), self.reason])
        rows = map(_cells, self.rows)
        return html_table("Weight predictors", _HEAD, rows, note=note, emphasised=[0])

    def _skipped_lines(self) -> list[str]:
        return [f"{name} was not tried: {reason}." for name, reason in self.skipped]

    def __str__(self) -> str:
        lines = [_HEAD, *map(_cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
            for line in lines
        ]
        return "\n".join([*table, *self._skipped_lines(), self.reason])


def _cells(row: ChoiceRow) -> tuple[str, ...]:
    return (
        row.name,
        f"{row.total_bits:,.0f}",
        f"{row.weights_bits:,.0f}",
        f"{row.sending_bits:,.0f}",
        f"{row.other_bits:,.0f}",
        f"{row.predictor_bits} bits",
        f"{row.seconds:.1f}",
    )


def _why(best: ChoiceRow, other: ChoiceRow) -> str:
    more = best.sending_bits - other.sending_bits
    less = other.weights_bits - best.weights_bits
    if more > 0:
        return f"its {more:,.0f} extra bits of predictor save {less:,.0f} on the weights"
    if less < 0:
        return f"it takes {-more:,.0f} bits less itself, for {-less:,.0f} more on the weights"
    return f"it saves {less:,.0f} bits on the weights and {-more:,.0f} on itself"

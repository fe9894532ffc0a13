"""The result of an audit: rows, cut sites and a readable table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bitfold.runtime.display.html_tables import html_table
from bitfold.runtime.strangers.current_folder import current_folder

# Cut sites that the table lists for one pair; the first ones are enough to start with.
MAX_SITES = 12
_HEAD = ("term", "module", "verdict", "share", "norm", "agreement")


class Verdict(StrEnum):
    """The verdict on one term and one module.

    Attributes:
        REACHES: the term's gradient arrives.
        WEAK: it arrives at fewer than 10 % of the parameters that influence the value.
        CUT: the value depends on the module, but no gradient arrives, at the parameters and nearby.
        INDEPENDENT: neither the value nor a gradient depends on the module.
    """

    REACHES = "reaches"
    WEAK = "weak"
    CUT = "cut"
    INDEPENDENT = "independent"


@dataclass(frozen=True)
class CutSite:
    """A line of code where a gradient stops.

    Args:
        operation: PyTorch's name of the operation, such as ``Tensor.detach``.
        mechanism: why no gradient passes, in a few words.
        file: path of the source file: the innermost code outside PyTorch, NumPy and the audit.
        line: line number, from 1.
        code: the line's text; empty if the source is not available.
    """

    operation: str
    mechanism: str
    file: str
    line: int
    code: str = ""

    def __str__(self) -> str:
        shown = f": {self.code}" if self.code else ""
        path, here = Path(self.file), current_folder()
        file = path.relative_to(here) if here and path.is_relative_to(here) else path
        return f"{file}:{self.line}: {self.operation} {self.mechanism}{shown}"


@dataclass(frozen=True)
class AuditRow:
    """The finding for one term and one module.

    Args:
        term: the term's name.
        module: the module's name.
        verdict: see `Verdict`.
        share: share of the module's trainable parameters whose gradient is not zero, 0 to 1.
        norm: Euclidean norm of the gradient.
        agreement: of the gradient with finite differences along random directions: 1 if they are
            equal, 0 if one of them is zero, -1 if they are opposite; None if both are zero or
            lost in noise. It plays no part in the verdict.
        sites: where the gradient stops; empty unless the verdict is cut or weak.
        note: a remark for the reader; may be empty.
    """

    term: str
    module: str
    verdict: Verdict
    share: float
    norm: float
    agreement: float | None
    sites: tuple[CutSite, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class GradientAudit:
    """The findings of an audit; ``str`` of it is a table.

    Args:
        rows: one for each pair of a term and a module, ordered by term.
        num_evaluations: number of evaluations of terms.

    Example:
        >>> row = AuditRow("K", "network", Verdict.CUT, 0.0, 0.0, 0.0)
        >>> audit = GradientAudit((row,), 12)
        >>> audit.ok
        False
        >>> print(audit)
        term  module   verdict  share   norm  agreement
        K     network  cut       0.0%  0.000       0.00
    """

    rows: tuple[AuditRow, ...]
    num_evaluations: int

    @property
    def ok(self) -> bool:
        """False exactly when a pair is cut."""
        return all(row.verdict != Verdict.CUT for row in self.rows)

    def row(self, term: str, module: str) -> AuditRow:
        """Return the row of a pair.

        Raises:
            KeyError: there is no such pair.
        """
        for row in self.rows:
            if (row.term, row.module) == (term, module):
                return row
        raise KeyError((term, module))

    def _repr_html_(self) -> str:
        note = "\n".join(line for row in self.rows for line in _below(row))
        cut = [number for number, row in enumerate(self.rows) if row.verdict == Verdict.CUT]
        title = "Gradient audit: every term arrives" if self.ok else "Gradient audit: CUT"
        rows = map(_cells, self.rows)
        return html_table(title, _HEAD, rows, num_left=3, note=note, emphasised=cut)

    def __str__(self) -> str:
        cells: list[tuple[str, ...]] = [_HEAD, *(_cells(row) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [_line(row, widths) for row in cells]
        for row in self.rows:
            lines += _below(row)
        return "\n".join(lines)


def _cells(row: AuditRow) -> tuple[str, ...]:
    agreement = "-" if row.agreement is None else f"{row.agreement:.2f}"
    numbers = (f"{100 * row.share:.1f}%", f"{row.norm:#.4g}", agreement)
    return (row.term, row.module, row.verdict.value, *numbers)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(cells[:3], widths[:3], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True)]
    return "  ".join([*left, *right])


def _below(row: AuditRow) -> list[str]:
    lines = [f"  {site}" for site in row.sites[:MAX_SITES]]
    if len(row.sites) > MAX_SITES:
        lines.append(f"  and {len(row.sites) - MAX_SITES} more places")
    if row.note:
        lines.append(f"  {row.note}")
    what = {Verdict.CUT: "is cut at", Verdict.WEAK: "stops for some parameters at"}
    title = f"{row.term} -> {row.module}"
    if row.sites:
        return [f"{title} {what.get(row.verdict, 'stops at')}", *lines]
    return [f"{title}:", *lines] if lines else []

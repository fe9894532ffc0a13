"""The table of a sweep: a row for each member, as columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bitfold.errors import RunError
from bitfold.experiments.sweeps.record import SweepRecord
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.display.html_tables import html_table

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped, import-not-found, unused-ignore] # optional

NAME: Final = "sweep.csv"
_SHOWN_ROWS = 50


class SweepTable(dict[str, list[Any]]):
    """Name of a column to one value for each member, None where there is none.

    ``member``, ``status`` and ``reason`` come first, then the settings that are varied, then
    ``epochs``, ``seconds``, ``threads``, ``num_bytes``, ``error``, ``psnr_db``, and the metrics of
    the last epoch and of the best one, as ``last_...`` and ``best_...``. A dictionary, but for how
    it is shown.
    """

    @property
    def num_rows(self) -> int:
        """The number of members."""
        return len(self.get("member", ()))

    def rows(self) -> list[dict[str, Any]]:
        """Return a dictionary for each member."""
        names = list(self)
        return [dict(zip(names, row, strict=True)) for row in zip(*self.values(), strict=True)]

    def to_pandas(self) -> pd.DataFrame:
        """Return the table as a data frame.

        Raises:
            RunError: pandas is not installed.
        """
        try:
            import pandas  # noqa: PLC0415 - optional
        except ImportError:
            raise RunError(
                "Cannot make a data frame: expected pandas, got a Python without it. Install it "
                "with `pip install pandas`, or use the table's columns."
            ) from None
        return pandas.DataFrame(dict(self))

    def to_csv(self) -> str:
        """Return the table as text with commas between; numbers read back as they are."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self)
        writer.writerows(
            [_cell(value) for value in row] for row in zip(*self.values(), strict=True)
        )
        return text.getvalue()

    def write_csv(self, path: str | Path) -> None:
        """Write the table as CSV.

        Raises:
            RunError: the file cannot be written.
        """
        try:
            write_atomically(Path(path), self.to_csv().encode())
        except OSError as error:
            raise RunError(
                f"Cannot write {path}: {error.strerror}. Make room, then give the same command "
                "again."
            ) from None

    def __repr__(self) -> str:
        return f"SweepTable({self.num_rows} members; {', '.join(self)})"

    def _repr_html_(self) -> str:
        names = [name for name in self if not name.startswith(("last_", "best_", "reason"))]
        shown = [[_shown(self[name][row]) for name in names] for row in range(self.num_rows)]
        left_out = self.num_rows - _SHOWN_ROWS
        note = f"{left_out} members more." if left_out > 0 else ""
        return html_table("Members", names, shown[:_SHOWN_ROWS], num_left=2, note=note)


def table_of(record: SweepRecord) -> SweepTable:
    """Return the table of a record, with the members of its part in order."""
    members = record.own_members
    ends = [record.ends.get(member.name) for member in members]
    table = SweepTable(member=[member.name for member in members])
    table["status"] = ["missing" if end is None else end.status for end in ends]
    table["reason"] = ["" if end is None else end.reason for end in ends]
    for name in record.varied:
        # A metric or another column may have a setting's name.
        column = name if name not in _COLUMNS else f"{name}_setting"
        table[column] = [member.settings[name] for member in members]
    for name in _COLUMNS:
        table[name] = [None if end is None else getattr(end, name) for end in ends]
    for which in ("last", "best"):
        found = [{} if end is None else getattr(end, which) for end in ends]
        for name in _names(found):
            table[f"{which}_{name}"] = [metrics.get(name) for metrics in found]
    return table


_COLUMNS: Final = ("epochs", "seconds", "threads", "num_bytes", "error", "psnr_db")


def _names(tables: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(name for metrics in tables for name in metrics))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def _shown(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else _cell(value)

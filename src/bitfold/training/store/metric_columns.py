"""The metrics of a run as columns, which a notebook shows in a few lines."""

from __future__ import annotations

from bitfold.runtime.display.html_tables import html_facts


class MetricColumns(dict[str, list[float | int | None]]):
    """Name to one value for each epoch, None where a line has none.

    A dictionary, but for how it is shown: ``dict(columns)`` shows every number.

    >>> MetricColumns(epoch=[1, 2], task_loss=[0.5, 0.25], accuracy=[None, None])
    MetricColumns(2 epochs; at the last epoch=2, task_loss=0.25)
    """

    @property
    def num_epochs(self) -> int:
        """The number of values in each column."""
        return len(self.get("epoch", ()))

    @property
    def last(self) -> dict[str, float | int]:
        """The numbers of the last epoch by name; those that were not measured are left out."""
        last = {name: column[-1] for name, column in self.items() if column}
        return {name: value for name, value in last.items() if value is not None}

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={value:.5g}" for name, value in list(self.last.items())[:10])
        shown = f"; at the last {numbers}" if numbers else ""
        return f"MetricColumns({self.num_epochs} epochs{shown})"

    def _repr_html_(self) -> str:
        numbers = {name: f"{value:,.5g}" for name, value in self.last.items()}
        return html_facts(f"Metrics of {self.num_epochs} epochs; the last:", numbers)

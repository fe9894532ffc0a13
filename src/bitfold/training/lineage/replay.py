"""A run trained again from its start, with the same changes, and compared with the first time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bitfold.training.events import Listener
from bitfold.training.lineage.branch import train_until
from bitfold.training.lineage.copying import copy_run
from bitfold.training.run.record import RunRecord

#: The only metric that differs from one time to the next.
_TIMING = "seconds"


def replay(run: RunRecord, folder: str | Path, listeners: Sequence[Listener] = ()) -> Path:
    """Train a run again from its start, with the same changes at the same epochs.

    Args:
        run: the run to repeat, as far as it has come.
        folder: of the new run; it must hold no run.
        listeners: called with the events of training.

    Returns:
        The folder of the new run. On the same machine, with the same versions and threads, its
        metrics equal those of ``run`` bit for bit, except for timings; see `first_difference`.

    Raises:
        RunError: the folder holds a run, or cannot be written.
    """
    facts = {"replay_of": str(run.path)}
    path = copy_run(run, Path(folder), from_epoch=0, until=run, facts=facts)
    last = run.last_epoch
    train_until(path, last, listeners)
    return path


def first_difference(run: RunRecord, other: RunRecord) -> str | None:
    """Compare the metrics of two runs, value by value.

    Returns:
        A line that names the first epoch and metric that differ; None if all but the timings are
        equal to the last bit.
    """
    one, two = run.metrics, other.metrics
    epochs, others = one["epoch"], two["epoch"]
    for row, epoch in enumerate(epochs):
        if row >= len(others):
            return f"Epoch {epoch} was not trained again."
        for name in sorted((one.keys() | two.keys()) - {_TIMING}):
            values = [columns[name][row] if name in columns else None for columns in (one, two)]
            if values[0] != values[1]:
                return f"Epoch {epoch}: {name} was {values[0]}, and is now {values[1]}."
    return None

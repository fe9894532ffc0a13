"""A tiny training, and a table without times, for the tests of sweeps."""

from __future__ import annotations

from typing import Any

from bitfold import Config, Sweep

#: A member trains within some hundredths of a second.
CONFIG = Config(
    target="disk", size=16, shape="[3]", points=60, validation_points=20, batch_size=60,
    epochs=2, measure_folds=0, audit=False, save_interval="1000",
)  # fmt: skip


def untimed(found: Sweep) -> dict[str, list[Any]]:
    """Return the columns of a sweep that do not depend on the machine's speed."""
    return {name: column for name, column in found.table.items() if not name.endswith("seconds")}

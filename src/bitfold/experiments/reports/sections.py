"""The parts of a report that take more than a number: groups of bytes, and the run in one line."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bitfold.experiments.reports.facts import DELTA, Facts
from bitfold.model_file import FileItem
from bitfold.training import Config, settings_of

# Settings that name places on the machine of the run.
_PLACES = frozenset({"output_dir", "log_file", "target", "checkpoint_dir", "snapshot_dir"})


def subtitle(facts: Facts) -> str:
    """Return task, target, shape and epoch in one line."""
    run, target = facts.run, facts.run.target
    task = f"{target.task} of {target.name}, {target.grid.width} x {target.grid.height}"
    frames = f" x {target.grid.num_frames}" if target.is_clip else ""
    text = f"{task}{frames} · {run.config.shape} · epoch {facts.epoch:,}"
    status = str(run.status.get("status", "unknown"))
    return text if status == "completed" else f"{text} · {status}"


def byte_groups(items: Sequence[FileItem]) -> list[tuple[str, float]]:
    """Return the bits of weights, biases, predictor, steps and the rest, without empty groups."""
    found = dict.fromkeys(("weights", "biases", "predictor", "steps", "header and structure"), 0.0)
    *_, rest = found
    for item in items:
        name = "weights" if item.name.endswith("weight") else "biases"
        if not item.num_numbers:
            name = item.name if item.name in found else rest
        found[name] += item.bits
    return [(name, bits) for name, bits in found.items() if bits > 0]


def total(facts: Facts) -> FileItem:
    """Return the sum of all items of the file."""
    items = facts.info.items
    return FileItem(
        "total",
        8.0 * facts.num_bytes,
        facts.info.num_numbers,
        num_zeros=sum(item.num_zeros for item in items),
        num_dead=sum(item.num_dead for item in items),
    )


def bound_nats(facts: Facts) -> float:
    """Return the right side of the bound: (bits ln 2 + ln(1 / delta)) / n."""
    bits = 8 * facts.num_bytes
    return (bits * math.log(2) - math.log(DELTA)) / facts.training.num_pixels


def changed_settings(config: Config) -> str:
    """Return each setting that is not the default, one a line."""
    usual = Config()
    names = [name for name, _, _ in settings_of(Config) if name not in _PLACES]
    values = [(name, getattr(config, name)) for name in names]
    lines = [f"{n} = {value}" for n, value in values if value != getattr(usual, n)]
    return "\n".join(lines) or "All as by default."

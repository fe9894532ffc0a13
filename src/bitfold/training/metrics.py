"""``metrics.jsonl``: one line an epoch, names as a contract."""

from __future__ import annotations

import json
import math
from pathlib import Path

from bitfold.training.events import Metrics
from bitfold.training.files import AppendOnlyFile, write_atomically

#: The names of a line, in order; docs/run-folder.md says what each means.
METRIC_NAMES = (
    "epoch",
    "combined_loss",
    "task_loss",
    "kolmogorov_loss",
    "kolmogorov_weight",
    "validation_loss",
    "accuracy",
    "psnr_db",
    "description_bits",
    "weights_out_of_range",
    "grad_norm_task_network",
    "grad_norm_kolmogorov_network",
    "grad_norm_kolmogorov_predictor",
    "seconds",
)


class MetricsLog:
    """Appends lines of metrics; after a continued run's cut, nothing is doubled.

    Source: none, ours.

    Args:
        path: the file; made if missing.
        keep_until: lines of later epochs, and a torn last line, are cut off first.
    """

    def __init__(self, path: Path, *, keep_until: int) -> None:
        if path.exists():
            kept = [line for line in _whole_lines(path) if (line["epoch"] or 0) <= keep_until]
            write_atomically(path, "".join(_encoded(line) for line in kept).encode())
        self._file = AppendOnlyFile(path)

    def append(self, metrics: Metrics) -> None:
        """Write one line to the operating system; a value that is not finite becomes null.

        Raises:
            OSError: the disk is full; the file is as before.
        """
        self._file.append(_encoded(metrics).encode())

    def sync(self) -> None:
        """Wait until every line is on the disk itself."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_metrics(path: Path) -> dict[str, list[float | int | None]]:
    """Read the metrics as columns: name to a value an epoch, None where there is none.

    A torn last line, left by a kill, is passed over.
    """
    lines = _whole_lines(path) if path.exists() else []
    return {name: [line.get(name) for line in lines] for name in METRIC_NAMES}


def _whole_lines(path: Path) -> list[dict[str, float | int | None]]:
    lines = []
    for text in path.read_bytes().split(b"\n")[:-1]:
        try:
            line = json.loads(text)
        except ValueError:
            break
        if not isinstance(line, dict) or not isinstance(line.get("epoch"), int):
            break
        lines.append(line)
    return lines


def _encoded(metrics: Metrics) -> str:
    finite = {
        name: value if value is None or math.isfinite(value) else None
        for name, value in metrics.items()
    }
    return json.dumps(finite, allow_nan=False) + "\n"

"""How much faster is an epoch in one compiled call than one that PyTorch steps?

``python -m benchmarks.training.epoch_loop [--quick] [--output docs/results/epoch_loop.json]``. Both
ways train the same run in turn, with metrics, watchdogs and checkpoints, on one thread. A figure is
the least processor time of an epoch over any five in a row: a busy machine makes it larger, but for
both alike.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import bitfold
from benchmarks.harness.timing import argument_parser, write_results
from bitfold.training import EpochEnded, Event

_WINDOW, _WARM_UP = 5, 10
_STEPS = {"kolmogorov_quantise": "learned", "kolmogorov_weight": 0.003}
CASES: dict[str, dict[str, Any]] = {
    "no K": {},
    "K, coordinate predictor": {"kolmogorov_weight": 0.01},
    "K, scales, linear targets": {
        "kolmogorov_weight": 0.01,
        "kolmogorov_predictor": "row_column",
        "kolmogorov_targets": "linear",
    },
    "K, learned steps": _STEPS,
    "the demo's network and steps": {"shape": "[12]*6", "learning_rate": 0.005, **_STEPS},
    "tanh, no K": {"activation": "tanh"},
}


class ProcessorClock:
    """A listener that notes the process's processor time at the end of each epoch."""

    def __init__(self) -> None:
        self._ends: list[float] = []

    def __call__(self, event: Event) -> None:
        """Note the time."""
        if isinstance(event, EpochEnded):
            self._ends.append(time.process_time())

    def least(self) -> float:
        """Return the least seconds an epoch over five successive epochs after the warm-up."""
        pairs = zip(self._ends[_WARM_UP:], self._ends[_WARM_UP + _WINDOW :], strict=False)
        return min(end - start for start, end in pairs) / _WINDOW


def seconds_of_way(settings: dict[str, Any], epoch_loop: str, num_epochs: int) -> float:
    """Train one way in a temporary folder; return the least processor seconds of an epoch."""
    clock = ProcessorClock()
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        base = {"target": "ring", "points": 5000, "shape": "[10]*8", "measure_folds": 0}
        place = {"output_dir": str(Path(folder) / "run"), "threads": 1, "epochs": num_epochs}
        config = bitfold.Config(**{**base, **settings, **place, "epoch_loop": epoch_loop})
        bitfold.train(config, [clock])
    return clock.least()


def main() -> int:
    """Measure each case in both ways, print a table, and write the results."""
    arguments = argument_parser(__doc__.splitlines()[0]).parse_args()
    num_epochs = 30 if arguments.quick else 120
    rows = {}
    print(
        f"{'processor time of an epoch':32} {'stepwise':>10} {'compiled':>10} {'times as fast':>14}"
    )
    for name, settings in CASES.items():
        stepwise, compiled = (
            min(seconds_of_way(settings, way, num_epochs) for _ in range(2))
            for way in ("stepwise", "compiled")
        )
        ratio = stepwise / compiled
        print(
            f"{name:32} {1e3 * stepwise:7.2f} ms {1e3 * compiled:7.2f} ms {ratio:14.1f}", flush=True
        )
        rows[name] = {
            "stepwise_seconds": float(f"{stepwise:.4g}"),
            "compiled_seconds": float(f"{compiled:.4g}"),
            "times_as_fast": float(f"{ratio:.3g}"),
        }
    write_results(arguments.output, {"quick": arguments.quick, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())

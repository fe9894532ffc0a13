"""By how much does drawing hold up training?

``python -m benchmarks.training.holdup [--quick] [--output FILE]``; exit code 1 if by more
than a tenth. The same run is trained in turn with and without a `Recorder`, whose process draws
frames of 1024 x 1024 meanwhile; the sum of the epochs' own seconds is compared, so that what comes
before the first and after the last epoch does not count. A frame every fifth epoch is far more than
one core can draw, so the drawing process is busy throughout.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import bitfold
from benchmarks.harness.timing import alternate, argument_parser, flattened, ratios, write_results
from bitfold.recording import Recorder
from bitfold.training import EpochEnded, Event, Listener

LARGEST = 1.1
WARM_UP = 100


class _EndEarly:
    """Asks the drawing process to stop with the last epoch, as later drawing does not matter."""

    def __init__(self, recorder: Recorder, epochs: int) -> None:
        self._recorder, self._epochs = recorder, epochs

    def __call__(self, event: Event) -> None:
        """Handle an event of training."""
        if isinstance(event, EpochEnded) and event.epoch == self._epochs:
            self._recorder.stop()


def seconds_of_epochs(epochs: int, *, draws: bool) -> float:
    """Train once, and return the mean seconds of the epochs without the first ones."""
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        config = bitfold.Config(
            target="ring",
            epochs=epochs,
            kolmogorov_weight=0.01,
            save_interval="5",
            output_dir=str(Path(folder) / "run"),
        )
        recorder = Recorder()
        listeners: list[Listener] = [_EndEarly(recorder, epochs), recorder] if draws else []
        run = bitfold.train(config, listeners)
        seconds = [float(s or 0) for s in run.metrics["seconds"][WARM_UP:]]
        return sum(seconds) / len(seconds)


def main() -> int:
    """Train in turn, and print the ratio."""
    arguments = argument_parser(__doc__.splitlines()[0]).parse_args()
    epochs, rounds = (400, 2) if arguments.quick else (1500, 5)
    drawn, plain = alternate(
        lambda: [seconds_of_epochs(epochs, draws=True)],
        lambda: [seconds_of_epochs(epochs, draws=False)],
        rounds,
    )
    ratio = ratios(drawn, plain)
    verdict = "PASS" if ratio.median <= LARGEST else f"SHORT (needs {LARGEST})"
    for name, samples in (("with drawing", drawn), ("without", plain)):
        print(f"{name:14} {flattened(samples).text(1e3, ' ms')} an epoch")
    print(f"ratio {ratio.text()} {verdict}")
    write_results(arguments.output, {"ratio": ratio.record(), "verdict": verdict})
    return 0 if verdict == "PASS" else 1


if __name__ == "__main__":
    sys.exit(main())

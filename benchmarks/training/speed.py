"""How many times the straightforward program's speed does bitfold reach?

``python -m benchmarks.training.speed [--quick] [--output docs/results/speed.json]``; exit code 1 if
a requirement is missed. Both programs run in turn in one process, on the same ring.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import bitfold
from benchmarks.harness.product import epoch_seconds, in_temporary_run, ring_picture
from benchmarks.harness.timing import (
    Spread,
    alternate,
    argument_parser,
    flattened,
    ratios,
    seconds_of,
    write_results,
)
from benchmarks.opponents.anchors import Measured, check_against_anchors
from benchmarks.opponents.straightforward import StraightforwardProgram
from bitfold.recording.frame_maker import FrameMaker
from bitfold.recording.frame_style import FrameStyle
from bitfold.render import encode_png
from bitfold.training import TrajectoryReader

LAMBDA = 0.01
Samples = tuple[list[list[float]], list[list[float]]]


@dataclass(frozen=True)
class EpochCase:
    """One row of the table of epochs.

    Args:
        shape: the hidden layers as bitfold writes them.
        widths: the same, for the straightforward program.
        has_kolmogorov: whether K is part of the loss.
        required: bitfold's required speed-up; None only reports.
        rounds: the number of turns of each program.
        baseline_epochs: timed in a round.
        our_epochs: timed in a round, after ``warm_up``.
        warm_up: epochs of each of our runs that are not timed.
        has_learned_steps: whether our steps are learned, as the demo's; the other program has K.
    """

    shape: str
    widths: tuple[int, ...]
    has_kolmogorov: bool
    required: float | None
    rounds: int
    baseline_epochs: int
    our_epochs: int
    warm_up: int = 50
    has_learned_steps: bool = False

    @property
    def name(self) -> str:
        """Return the name in the table."""
        with_k = "learned steps" if self.has_learned_steps else "K"
        return f"epoch, {self.shape}, {with_k if self.has_kolmogorov else 'no K'}"

    def config(self) -> bitfold.Config:
        """Return our configuration, which like the other program draws and measures no folds."""
        return bitfold.Config(
            target="ring",
            points=5000,
            shape=self.shape,
            epochs=self.warm_up + self.our_epochs,
            kolmogorov_weight=LAMBDA if self.has_kolmogorov else 0.0,
            kolmogorov_quantise="learned" if self.has_learned_steps else "none",
            measure_folds=0,
        )

    def quickened(self) -> EpochCase:
        """Return a case with few repetitions."""
        ours, baseline = max(4, self.our_epochs // 3), max(1, self.baseline_epochs // 3)
        values = {"rounds": 2, "our_epochs": ours, "baseline_epochs": baseline}
        return EpochCase(**{**self.__dict__, **values})


SMALL, LARGE = (10,) * 8, (100,) * 5
EPOCH_CASES = (
    EpochCase("[10]*8", SMALL, False, 20.0, 9, 60, 300),
    EpochCase("[10]*8", SMALL, True, 13.0, 9, 40, 300),
    EpochCase("[10]*8", SMALL, True, 13.0, 9, 40, 300, has_learned_steps=True),
    EpochCase("[100]*5", LARGE, False, 3.0, 9, 40, 150),
    EpochCase("[100]*5", LARGE, True, 28.0, 3, 2, 12, warm_up=3),
)
FRAME_CASES = (("[10]*8", SMALL, 5.0, 9), ("[100]*5", LARGE, 15.0, 5))


def time_epochs(case: EpochCase, picture: np.ndarray) -> Samples:
    """Return seconds an epoch of the straightforward program and of bitfold, by rounds."""
    weight = LAMBDA if case.has_kolmogorov else 0.0
    program = StraightforwardProgram(picture, list(case.widths), kolmogorov_weight=weight)
    config = case.config()
    program.train_epoch()

    def epochs() -> None:
        for _ in range(case.baseline_epochs):
            program.train_epoch()

    def baseline() -> list[float]:
        program.train_epoch()  # wakes the threads that bitfold had let sleep
        return [seconds_of(epochs) / case.baseline_epochs]

    return alternate(baseline, lambda: [epoch_seconds(config, case.warm_up)], case.rounds)


def time_frames(shape: str, widths: tuple[int, ...], rounds: int, picture: np.ndarray) -> Samples:
    """Return seconds a frame of both programs, which draw the same trained network."""
    epochs = 300 if widths == SMALL else 60
    # The straightforward program also draws three panels.
    config = bitfold.Config(
        target="ring", points=5000, shape=shape, epochs=epochs, smoothing_sigma=0
    )
    program = StraightforwardProgram(picture, list(widths))
    return in_temporary_run(config, lambda run: _time_frames_of(run, program, rounds))


def _time_frames_of(run: bitfold.Run, program: StraightforwardProgram, rounds: int) -> Samples:
    reader = TrajectoryReader(run.folder.trajectory)
    moment = list(reader.moments())[-1]
    reader.close()
    with torch.no_grad():
        for parameter, weights in zip(
            program.network.parameters(), moment.weights.values(), strict=True
        ):
            parameter.copy_(weights)
    maker = FrameMaker(run, FrameStyle.of(run.config))
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        path = Path(folder) / "frame.png"

        def ours() -> list[float]:
            threads = torch.get_num_threads()
            torch.set_num_threads(1)  # as in the drawing process
            seconds = seconds_of(lambda: path.write_bytes(encode_png(maker.draw(moment))))
            torch.set_num_threads(threads)
            return [seconds]

        def baseline() -> list[float]:
            return [seconds_of(lambda: program.write_frame(path))]

        ours(), baseline()
        return alternate(baseline, ours, rounds)


def report(name: str, samples: Samples, required: float | None) -> dict[str, Any]:
    """Print one row and return it as the results hold it."""
    baseline, ours, ratio = flattened(samples[0]), flattened(samples[1]), ratios(*samples)
    verdict = _verdict(ratio, required)
    print(
        f"{name:24} {baseline.text(1e3, ' ms'):>28} {ours.text(1e3, ' ms'):>28} "
        f"{ratio.text(1, ' x'):>24}  {verdict}",
        flush=True,
    )
    return {
        "straightforward_seconds": baseline.record(),
        "bitfold_seconds": ours.record(),
        "times_as_fast": ratio.record(),
        "required": required,
        "verdict": verdict,
    }


def _verdict(ratio: Spread, required: float | None) -> str:
    if required is None:
        return "reported"
    if ratio.median >= required:
        return f"PASS (needs {required:g})"
    return f"SHORT by {required - ratio.median:.2f} (needs {required:g})"


def main() -> int:
    """Measure everything, print a table, and name missed limits."""
    arguments = argument_parser(__doc__.splitlines()[0]).parse_args()
    picture, rows = ring_picture(), {}
    measured: dict[str, float] = {}
    header = ("median (quartiles)", "straightforward", "bitfold", "times as fast")
    print(f"{header[0]:24} {header[1]:>28} {header[2]:>28} {header[3]:>24}")
    for case in EPOCH_CASES:
        chosen = case.quickened() if arguments.quick else case
        samples = time_epochs(chosen, picture)
        rows[case.name] = report(case.name, samples, case.required)
        measured[case.name] = statistics.median(s for one in samples[0] for s in one)
    for shape, widths, required, rounds in FRAME_CASES:
        name = f"frame, {shape}"
        samples = time_frames(shape, widths, 2 if arguments.quick else rounds, picture)
        rows[name] = report(name, samples, required)
        measured[name] = statistics.median(s for one in samples[0] for s in one)
    agreement = check_against_anchors(Measured.of(measured))
    results = {"rows": rows, "straightforward_against_anchors": agreement}
    write_results(arguments.output, {"quick": arguments.quick, **results})
    missed = [name for name, row in rows.items() if str(row["verdict"]).startswith("SHORT")]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

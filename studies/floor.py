"""How far from this machine's floor does an epoch, and a frame, stand?

``python -m studies.floor [--output docs/results/floor.json]``. The floor is the least time in
which the arithmetic and the traffic that the work cannot do without pass through the machine, at
rates measured in the same run: a large matrix product, an axpy far larger than the caches, and
exponentials of a block that stays in them. For small networks a second floor lies higher: PyTorch
takes a while to start each operation, so operations are counted and one is timed.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import bitfold
from benchmarks.harness.product import epoch_seconds, in_temporary_run
from benchmarks.harness.timing import Spread, argument_parser, seconds_of, write_results
from bitfold.recording import FrameMaker, FrameStyle
from bitfold.render import encode_png
from bitfold.targets import load_target, sample_split
from bitfold.training import TrajectoryReader
from bitfold.training.step.learner import Learner
from bitfold.training.step.resources import choose_threads

POINTS, BATCH, BINS, PREDICTOR = 5000, 1024, 256, (5, 5)
FLOAT_BYTES = 4
LAMBDA = 0.01


@dataclass(frozen=True)
class Rates:
    """This machine's rates in a second, with a number of threads."""

    flops: float
    bytes: float
    exponentials: float
    operation_seconds: float


@dataclass(frozen=True)
class Work:
    """The necessary work.

    Args:
        flops: multiplications and additions.
        bytes: to and from memory.
        exponentials: one a weight and bin of K.
    """

    flops: float
    bytes: float
    exponentials: float = 0.0

    def seconds(self, rates: Rates) -> float:
        """Return the least time: the longer of arithmetic and traffic."""
        arithmetic = self.flops / rates.flops + self.exponentials / rates.exponentials
        return max(arithmetic, self.bytes / rates.bytes)


def measured_rates(threads: int) -> Rates:
    """Measure the rates; a floor takes the best of several measurements."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    square = torch.randn(1024, 1024)
    large, other = torch.randn(2**24), torch.randn(2**24)
    block = torch.randn(2**15)
    single = torch.zeros(1)
    result = Rates(
        flops=2 * 1024**3 / _best(lambda: square @ square),
        bytes=3 * large.numel() * FLOAT_BYTES / _best(lambda: large.add_(other, alpha=1e-9)),
        exponentials=block.numel() / _best(lambda: torch.exp(block, out=block), 200),
        operation_seconds=_best(lambda: single.add_(1), 2000),
    )
    torch.set_num_threads(before)
    return result


def best_rates(threads: int) -> Rates:
    """Return the better of the rates with one thread and with several.

    Several threads are slower for small work, and far slower on a busy machine.
    """
    one = measured_rates(1)
    if threads == 1:
        return one
    many = measured_rates(threads)
    return Rates(
        flops=max(one.flops, many.flops),
        bytes=max(one.bytes, many.bytes),
        exponentials=max(one.exponentials, many.exponentials),
        operation_seconds=min(one.operation_seconds, many.operation_seconds),
    )


def _best(work: Callable[[], object], repetitions: int = 12) -> float:
    work()
    return min(seconds_of(work) for _ in range(repetitions))


def num_products(widths: list[int]) -> int:
    """Return the multiplications of one point's forward pass."""
    return sum(a * b for a, b in pairwise(widths))


def epoch_work(hidden: list[int], has_kolmogorov: bool) -> Work:
    """Return the necessary work of an epoch of training and its validation pass.

    Forward: 2 flops a product; backward: twice that, less the first layer's unneeded input
    gradient. Adam: 12 flops a weight; weight, gradient and two moments are read and three of them
    written. K: the predictor at every weight, forward and backward; one exponential a weight and
    bin.
    """
    widths = [2, *hidden, 1]
    products, steps = num_products(widths), math.ceil(POINTS / BATCH)
    num_weights = products + sum(widths[1:])
    flops = POINTS * (6 * products - 2 * widths[0] * widths[1]) + BATCH * 2 * products
    num_stepped, exponentials = num_weights, 0.0
    if has_kolmogorov:
        predictor = [4, *PREDICTOR, BINS]
        flops += steps * num_weights * (6 * num_products(predictor) - 2 * 4 * PREDICTOR[0])
        exponentials = float(steps * num_weights * BINS)
        num_stepped += num_products(predictor) + sum(predictor[1:])
    flops += steps * 12 * num_stepped
    return Work(flops, steps * 7 * num_stepped * FLOAT_BYTES, exponentials)


def frame_work(hidden: list[int], side: int) -> Work:
    """Return the necessary work of a frame of three panels, without compressing the PNG.

    A pixel: the forward pass; its pattern written once and read once; output and fold likewise;
    three panels of three bytes, written once and read once by whatever stores them.
    """
    pattern_bytes = 8 * math.ceil(sum(hidden) / 64)
    pixel_bytes = 2 * (pattern_bytes + FLOAT_BYTES + 1 + 9)
    return Work(side**2 * 2.0 * num_products([2, *hidden, 1]), side**2 * pixel_bytes)


class OperationCounter(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it so
    """Counts the operations that PyTorch starts."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Count an operation and run it."""
        self.count += 1
        return func(*args, **(kwargs or {}))


def num_operations(config: bitfold.Config) -> int:
    """Return the number of operations that PyTorch starts in one epoch of a learner."""
    target = load_target(config.target, size=config.size)
    split = sample_split(
        target, points=POINTS, validation_points=None, batch_size=BATCH, seed=config.seed
    )
    learner = Learner(config, target, split)
    learner.run_epoch(1)
    counter = OperationCounter()
    with counter:
        learner.run_epoch(2)
    return counter.count


def epoch_row(shape: str, hidden: list[int], has_kolmogorov: bool, epochs: int) -> dict[str, Any]:
    """Measure an epoch, compute its floor, and return the row."""
    config = bitfold.Config(
        points=POINTS,
        batch_size=BATCH,
        shape=shape,
        epochs=epochs,
        kolmogorov_weight=LAMBDA if has_kolmogorov else 0.0,
        measure_folds=0,
    )
    rates = best_rates(choose_threads(config, load_target("ring")))
    warm_up = min(50, epochs // 4)
    ours = Spread.of([epoch_seconds(config, warm_up) for _ in range(3)]).median
    operations = num_operations(config)
    name = f"epoch, {shape}, {'K' if has_kolmogorov else 'no K'}"
    floor = epoch_work(hidden, has_kolmogorov).seconds(rates)
    return row(name, ours, floor, operations * rates.operation_seconds, operations)


def frame_row(shape: str, hidden: list[int], epochs: int, repetitions: int) -> dict[str, Any]:
    """Measure a frame drawn by one thread, as in a user's run, and return its row."""
    config = bitfold.Config(points=POINTS, shape=shape, epochs=epochs)
    rates = measured_rates(1)
    ours = in_temporary_run(config, lambda run: _frame_seconds(run, repetitions))
    result = row(f"frame, {shape}", sum(ours.values()), frame_work(hidden, 1024).seconds(rates))
    parts = {name: round(seconds * 1e3, 2) for name, seconds in ours.items()}
    print(f"{'':22} of it, in ms: {parts}")
    return {**result, "parts_ms": parts}


def _frame_seconds(run: bitfold.Run, repetitions: int) -> dict[str, float]:
    maker = FrameMaker(run, FrameStyle.of(run.config))
    reader = TrajectoryReader(run.folder.trajectory)
    moment = list(reader.moments())[-1]
    reader.close()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    frame = maker.draw(moment)
    draw = Spread.of([seconds_of(lambda: maker.draw(moment)) for _ in range(repetitions)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.png"
        encode = Spread.of(
            [seconds_of(lambda: path.write_bytes(encode_png(frame))) for _ in range(repetitions)]
        )
    torch.set_num_threads(before)
    return {"partition and painting": draw.median, "PNG": encode.median}


def row(
    name: str, ours: float, floor: float, dispatch: float = 0.0, operations: int = 0
) -> dict[str, Any]:
    """Print one row and return it as the results hold it; times in milliseconds."""
    highest = max(floor, dispatch)
    text = f"{name:22} {ours * 1e3:9.2f} ms   arithmetic floor {floor * 1e3:8.3f} ms"
    if operations:
        text += f"   {operations:4d} operations {dispatch * 1e3:6.2f} ms"
    print(f"{text}   {ours / highest:6.2f} times the higher floor", flush=True)
    return {
        "name": name,
        "bitfold_ms": round(ours * 1e3, 3),
        "arithmetic_floor_ms": round(floor * 1e3, 4),
        "times_arithmetic_floor": round(ours / floor, 1),
        "num_operations": operations or None,
        "operations_floor_ms": round(dispatch * 1e3, 3) if operations else None,
        "times_higher_floor": round(ours / highest, 2),
    }


def main() -> int:
    """Measure the rates, then every row."""
    arguments = argument_parser(__doc__.splitlines()[0]).parse_args()
    factor = 1 if arguments.quick else 3
    default = torch.get_num_threads()
    measured = {}
    for threads in sorted({1, default}):
        rates = measured_rates(threads)
        measured[str(threads)] = {
            "gigaflops": round(rates.flops / 1e9, 1),
            "gigabytes_per_second": round(rates.bytes / 1e9, 1),
            "giga_exponentials_per_second": round(rates.exponentials / 1e9, 2),
            "operation_microseconds": round(rates.operation_seconds * 1e6, 2),
        }
        print(f"{threads} threads: {measured[str(threads)]}")
    rows = [
        epoch_row("[10]*8", [10] * 8, False, 100 * factor),
        epoch_row("[10]*8", [10] * 8, True, 100 * factor),
        epoch_row("[100]*5", [100] * 5, False, 50 * factor),
        epoch_row("[100]*5", [100] * 5, True, 4 * factor),
        frame_row("[10]*8", [10] * 8, 300, 3 * factor),
        frame_row("[100]*5", [100] * 5, 60, 2 * factor),
    ]
    write_results(arguments.output, {"rates_by_threads": measured, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())

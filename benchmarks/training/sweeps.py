"""How many members an hour does a sweep train, beside the reference way one after the other?

``python -m benchmarks.training.sweeps [--members 64] [--jobs 2] [--quick] [--output
docs/results/sweeps.json]``. Members are [10]*8 with K by the coordinate predictor, 300 epochs
each, without frames, each coded as a model file. The reference way steps every batch in PyTorch, in
this process, one member after the other. On a machine that does other work as well, elapsed
time tells little: the processor time of both is printed too, and the share of it that cores
which are all free would need.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import bitfold
from benchmarks.harness.timing import argument_parser, write_results

EPOCHS, BAR = 300, 4.0
CONFIG = bitfold.Config(
    target="ring", points=5000, shape="[10]*8", kolmogorov_weight=0.01,
    kolmogorov_predictor="coordinate", epochs=EPOCHS, measure_folds=0, save_interval="1000000",
)  # fmt: skip


@dataclass(frozen=True)
class Spent:
    """The time of one way.

    Args:
        elapsed: seconds.
        processor: seconds of this process and its children.
    """

    elapsed: float
    processor: float


def spent_on(config: bitfold.Config, num_members: int, *, jobs: int) -> Spent:
    """Train a sweep over seeds in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        start, before = time.perf_counter(), _processor()
        grid = {"seed": range(num_members)}
        found = bitfold.sweep(config, grid, Path(folder) / "sweep", jobs=jobs)
        assert found.exit_code == 0, found.table["reason"]
        return Spent(time.perf_counter() - start, _processor() - before)


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> int:
    """Measure both ways, print the ratio, and write the results."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    num_members = 4 if arguments.quick else arguments.members
    for loop in ("stepwise", "compiled"):  # compiles and imports once
        spent_on(CONFIG.replace(epochs=2, epoch_loop=loop), 1, jobs=1)
    reference = _in_this_process(num_members)
    jobs = arguments.jobs
    ours = spent_on(CONFIG, num_members, jobs=jobs)
    elapsed = reference.elapsed / ours.elapsed
    processor = reference.processor / ours.processor
    load = os.getloadavg()[0]
    print(f"{num_members} members of [10]*8 with K, {EPOCHS} epochs each, load {load:.1f}")
    for name, one in (("reference", reference), (f"sweep, {jobs} jobs", ours)):
        each = one.processor / num_members
        print(f"{name:16} {one.elapsed:8.1f} s elapsed, {each:6.3f} processor seconds a member")
    print(f"members an hour: {elapsed:.2f} times; bar {BAR:g} on {jobs} free cores")
    print(f"processor time: {processor:.2f} times less; with {jobs} free cores at most "
          f"{jobs * processor:.2f} times the members an hour")  # fmt: skip
    rows = {
        "members": num_members,
        "jobs": jobs,
        "load": round(load, 1),
        "times_by_elapsed": float(f"{elapsed:.3g}"),
        "times_by_processor": float(f"{processor:.3g}"),
        "reference_processor_seconds": float(f"{reference.processor / num_members:.4g}"),
        "sweep_processor_seconds": float(f"{ours.processor / num_members:.4g}"),
    }
    write_results(arguments.output, {"quick": arguments.quick, "rows": rows})
    return 0 if elapsed >= BAR or load > jobs + 1 else 1


def _in_this_process(num_members: int) -> Spent:
    """The reference way: PyTorch takes every step, run by run; each run is coded and measured."""
    config = CONFIG.replace(epoch_loop="stepwise", threads=1)
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        start, before = time.perf_counter(), _processor()
        for seed in range(num_members):
            place = str(Path(folder) / str(seed))
            run = bitfold.train(config.replace(seed=seed, output_dir=place))
            bitfold.experiments.code_run(run)
        return Spent(time.perf_counter() - start, _processor() - before)


if __name__ == "__main__":
    sys.exit(main())

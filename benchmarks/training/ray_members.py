"""What does Ray cost a member of a sweep, beside a process of this machine?

``python -m benchmarks.training.ray_members [--members 20] [--repeats 3] [--output
docs/results/ray-members.json]``. Small members are trained one at a time: by Ray, which is
started on this machine, and by one process. The first member's end tells what a start takes; the
time from there to the last one's end is shared among the others. Both ways take turns.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import bitfold
from benchmarks.harness.timing import Spread, argument_parser, write_results
from bitfold.experiments import RayPlace
from bitfold.experiments.sweeps.events import MemberEnded, SweepEvent

CONFIG = bitfold.Config(
    target="ring", size=64, points=500, shape="[10]*3", epochs=40, measure_folds=0,
    save_interval="1000000", checkpoint_interval=20, threads=1,
)  # fmt: skip
WAYS: dict[str, RayPlace | None] = {"process": None, "ray": RayPlace()}


def seconds_of(place: RayPlace | None, num_members: int) -> tuple[float, float]:
    """Train a sweep over seeds, one member at a time, in a temporary folder.

    Returns:
        Seconds to the end of the first member, and those of each other one.
    """
    ends: list[float] = []

    def listen(event: SweepEvent) -> None:
        if isinstance(event, MemberEnded):
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        start, grid, path = time.perf_counter(), {"seed": range(num_members)}, Path(folder, "sweep")
        found = bitfold.sweep(
            CONFIG, grid, path, jobs=1, isolate=place is None, ray=place, listeners=[listen]
        )
        assert found.exit_code == 0, found.table["reason"]
    return ends[0] - start, (ends[-1] - ends[0]) / (num_members - 1)


def main() -> int:
    """Measure both ways, print what they cost, and write the results."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    starts: dict[str, list[float]] = {name: [] for name in WAYS}
    members: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(1 if arguments.quick else arguments.repeats):
        for name, place in WAYS.items():
            first, further = seconds_of(place, arguments.members)
            starts[name].append(first)
            members[name].append(further)
    load = os.getloadavg()[0]
    rows = {}
    for name in WAYS:
        one, others = Spread.of(starts[name]), Spread.of(members[name])
        print(f"{name:8} first member {one.text(unit=' s')}, others {others.text(unit=' s')}")
        rows[name] = {"first_member": one.record(), "other_members": others.record()}
    pairs = zip(members["ray"], members["process"], strict=True)
    overhead = Spread.of([ray - process for ray, process in pairs])
    print(f"Ray adds {overhead.text(1e3, ' ms')} to each member; load {load:.1f}")
    row = {"rows": rows, "ray_adds_seconds": overhead.record(), "load": round(load, 1)}
    write_results(arguments.output, {"quick": arguments.quick, **row})
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What does Ray cost a member of a sweep, beside a process of this machine?

``python -m benchmarks.training.ray_members [--members 6] [--repeats 3] [--output
docs/results/ray-members.json]``. Small members are trained one at a time: by Ray, which is
started on this machine, and by one process. The seconds of a sweep of one member are what a start
takes; what each further member adds is its own time. Both ways are timed alternately.
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

CONFIG = bitfold.Config(
    target="ring", size=64, points=500, shape="[10]*3", epochs=40, measure_folds=0,
    save_interval="1000000", checkpoint_interval=20, threads=1,
)  # fmt: skip
WAYS: dict[str, RayPlace | None] = {"process": None, "ray": RayPlace()}


def seconds_of(place: RayPlace | None, num_members: int) -> float:
    """Train a sweep over seeds, one member at a time, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        start, grid = time.perf_counter(), {"seed": range(num_members)}
        path = Path(folder) / "sweep"
        found = bitfold.sweep(CONFIG, grid, path, jobs=1, isolate=place is None, ray=place)
        assert found.exit_code == 0, found.table["reason"]
        return time.perf_counter() - start


def main() -> int:
    """Measure both ways, print what they cost, and write the results."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    num_more = arguments.members - 1
    starts: dict[str, list[float]] = {name: [] for name in WAYS}
    members: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(1 if arguments.quick else arguments.repeats):
        for name, place in WAYS.items():
            one, all_of_them = (seconds_of(place, 1), seconds_of(place, arguments.members))
            starts[name].append(one)
            members[name].append((all_of_them - one) / num_more)
    load = os.getloadavg()[0]
    rows = {}
    for name in WAYS:
        first, further = Spread.of(starts[name]), Spread.of(members[name])
        print(
            f"{name:8} first member {first.text(unit=' s')}, each further {further.text(unit=' s')}"
        )
        rows[name] = {"first_member": first.record(), "further_member": further.record()}
    pairs = zip(members["ray"], members["process"], strict=True)
    overhead = Spread.of([ray - process for ray, process in pairs])
    print(f"Ray adds {overhead.text(1e3, ' ms')} to each further member; load {load:.1f}")
    row = {"rows": rows, "ray_adds_seconds": overhead.record(), "load": round(load, 1)}
    write_results(arguments.output, {"quick": arguments.quick, **row})
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Are networks as small as they have to be, by real files and what is read from them?

``python -m benchmarks.model_files.size_bar`` makes all trainings of `small_models`, `bound` and
`ring_file` that are not done yet and puts their medians beside what is wanted; exit code 1 if a
limit is missed. ``--quick`` trains one seed of LeNet-300-100 alone.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.harness.jobs import run_jobs
from benchmarks.harness.pages import replace_block
from benchmarks.harness.timing import argument_parser, write_results
from benchmarks.model_files import bound, ring_file, small_models

# Bytes, and the share of wrongly classified test pictures.
LENETS = {"LeNet-300-100": (2_400, 0.018), "LeNet-5-Caffe": (1_500, 0.0095)}
LARGEST_BOUND, LARGEST_RING = 0.08, 0.33

Results = Sequence[Mapping[str, Any]]


class Row(NamedTuple):
    """A limit and a measurement."""

    what: str
    wanted: str
    found: str
    is_met: bool


def lenet_row(name: str, results: Results) -> Row:
    """Return the row of a LeNet's file and the errors of its decoded network."""
    own = [result for result in results if result["network"] == name]
    most_bytes, most_wrong = LENETS[name]
    size, wrong = median(own, "bytes"), median(own, "error")
    return Row(
        f"{name}, median of {len(own)}",
        f"{most_bytes:,} bytes, {most_wrong:.2%} wrong",
        f"{size:,.0f} bytes, {wrong:.2%} wrong",
        size <= most_bytes and wrong <= most_wrong,
    )


def bound_row(results: Results) -> Row:
    """Return the row of the bound on other pictures' errors by a file and the training pictures."""
    found = median(results, "bound")
    text = f"{found:.2%}, from {median(results, 'bytes'):,.0f} bytes"
    wanted = f"below {LARGEST_BOUND:.0%}"
    return Row(f"bound on MNIST, median of {len(results)}", wanted, text, found < LARGEST_BOUND)


def ring_row(results: Results) -> Row:
    """Return the row of the ring's file over 8-bit weights that draw no better."""
    shares = [result["bytes"] / result["rounded_bytes"] for result in results]
    share = statistics.median(shares)
    more = statistics.median(result["psnr_db"] - result["rounded_psnr_db"] for result in results)
    return Row(
        f"ring, [10]*8, median of {len(results)}",
        f"{LARGEST_RING} of the bytes of 8-bit weights, at no lower PSNR",
        f"{share:.2f} ({min(shares):.2f} to {max(shares):.2f}), {more:+.1f} dB",
        share <= LARGEST_RING and more >= 0,
    )


def median(results: Results, name: str) -> float:
    """Return the median of one result."""
    middle: float = statistics.median(result[name] for result in results)
    return middle


def table(rows: Sequence[Row]) -> str:
    """Return the rows in Markdown."""
    lines = ["| what | at most | measured | |", "| --- | --- | --- | --- |"]
    lines += [f"| {what} | {wanted} | {found} | {'met' if is_met else 'MISSED'} |"
              for what, wanted, found, is_met in rows]  # fmt: skip
    return "\n".join(lines)


def main() -> int:
    """Train the missing networks, and compare."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    seeds = {"LeNet-300-100": 1} if arguments.quick else small_models.NUM_SEEDS
    jobs = small_models.jobs_of(seeds, validate=False)
    digits = run_jobs(small_models.run, jobs, "small-models", arguments.processes)
    rows = [lenet_row(name, digits) for name in seeds]
    if not arguments.quick:
        jobs = bound.jobs_of(bound.NUM_SEEDS)
        rows.append(bound_row(run_jobs(bound.run, jobs, "bound", arguments.processes)))
        jobs = ring_file.jobs_of(ring_file.NUM_SEEDS)
        rows.append(ring_row(run_jobs(ring_file.run, jobs, "ring-file", arguments.processes)))
        replace_block(small_models.PAGE, "size-bar", table(rows))
    print(table(rows))
    write_results(arguments.output, {"rows": [row._asdict() for row in rows]})
    return 0 if all(row.is_met for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())

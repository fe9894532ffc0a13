"""Is `bits:N` met within 2 % at the end of runs with learned steps, by count and by file?

[10]*8, 5,000 points, 300 epochs, Adam 3e-3. Exit code 1 if a description ends outside 2 % of N.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import bitfold
from benchmarks.harness.folders import DOCS
from benchmarks.harness.jobs import run_jobs
from benchmarks.harness.pages import replace_block
from benchmarks.harness.product import in_temporary_run
from benchmarks.harness.timing import argument_parser, write_results
from bitfold.experiments import measure_quality
from bitfold.training import Run
from bitfold.training.lambda_control.bits_lambda import TOLERANCE

PAGE = DOCS / "lambda.md"
CASES = (("ring", 2000), ("ring", 3000), ("ring", 4500), ("rgb-ring", 3000))


def learned_run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train once; return the bits of description and file, and the decoded network's quality."""
    config = bitfold.Config(
        target=job["target"],
        points=5000,
        epochs=job["epochs"],
        seed=job["seed"],
        kolmogorov_quantise="learned",
        kolmogorov_weight=f"bits:{job['bits']}",
        learning_rate=3e-3,
        no_watchdog=("stagnation",),
        save_interval="1000000",
        checkpoint_interval=1_000_000,
        measure_folds=0,
        audit=False,
    )
    return in_temporary_run(config, _measured)


def _measured(run: Run) -> dict[str, Any]:
    kolmogorov = run.kolmogorov()
    network, path = kolmogorov.table.module, run.path / "net.bitfold"
    size = bitfold.write_model(path, network, kolmogorov)
    decoded = measure_quality(run.target, bitfold.read_model(path))
    by_epoch = run.metrics["description_bits"]
    before = float(by_epoch[int(0.9 * len(by_epoch)) - 1] or 0)
    return {
        "soft_bits": before,
        "found_bits": kolmogorov.bits().total,
        "file_bytes": size,
        "quality": decoded.psnr_db if decoded.psnr_db is not None else decoded.error,
        "is_regression": decoded.is_regression,
    }


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return, in Markdown, how closely each N was met."""
    lines = [
        "| target | N | description, off N by seed | file, bytes (N / 8) | decoded, median |",
        "| --- | --- | --- | --- | --- |",
    ]
    for target, bits in CASES:
        runs = [run for run in results if (run["target"], run["bits"]) == (target, bits)]
        if not runs:
            continue
        quality = statistics.median(run["quality"] for run in runs)
        told = f"{quality:.1f} dB" if runs[0]["is_regression"] else f"{quality:.1%} wrong"
        off = ", ".join(f"{run['found_bits'] / bits - 1:+.1%}" for run in runs)
        sizes = ", ".join(f"{run['file_bytes']:,}" for run in runs)
        lines.append(f"| {target} | {bits:,} | {off} | {sizes} ({bits / 8:,.0f}) | {told} |")
    return "\n".join(lines)


def main() -> int:
    """Train and write the table."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seeds, arguments.epochs = 1, 100
    jobs = [
        {"target": target, "bits": bits, "epochs": arguments.epochs, "seed": seed}
        for target, bits in CASES
        for seed in range(arguments.seeds)
    ]
    results = run_jobs(learned_run, jobs, "learned-bits", arguments.processes)
    text = table(results)
    print(text)
    if not arguments.quick:
        replace_block(PAGE, "learned-bits", text)
    write_results(arguments.output, {"runs": results})
    missed = [run for run in results if abs(run["found_bits"] / run["bits"] - 1) > TOLERANCE]
    print(f"SHORT: {len(missed)} runs end outside" if missed else "PASS: all end within 2 %")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())

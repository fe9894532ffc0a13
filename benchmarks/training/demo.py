"""Does the demo show the ring in few bits, and does K fall, whatever the seed?

``python -m benchmarks.training.demo [--quick] [--output docs/results/demo.json]``; exit code 1 if a
seed misses. The ring is plain if the pixels on which prediction and ring, both cut at a half, agree
are at least 95 % of all; the bits are few if the description takes at most a fifth of float32's. K
falls less than they do: steps begin coarse, and become finer where the ring asks for it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import bitfold
from benchmarks.harness.timing import argument_parser, write_results
from bitfold.experiments import code_run, demo_config
from bitfold.recording import Recorder

AGREEMENT, SHARE = 0.95, 0.2


def measure(seed: int) -> dict[str, Any]:
    """Run the demo with its drawing at one seed, and return its results."""
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        start = time.perf_counter()
        run = bitfold.train(demo_config(seed, str(Path(folder) / "run")), [Recorder()])
        seconds = time.perf_counter() - start
        metrics, target = run.metrics, run.target
        pixels = np.arange(target.grid.num_pixels)
        points = torch.from_numpy(target.grid.coordinates(pixels))
        with torch.inference_mode():
            shown = run.network()(points).numpy() > 0.5
        agreement = float((shown == (target.values(pixels) > 0.5)).mean())
        k = metrics["kolmogorov_loss"]
        first_k, last_k, bits = k[0], k[-1], metrics["description_bits"][-1]
        assert first_k is not None and last_k is not None and bits is not None
        float32_bits = 32 * run.network().num_parameters
        is_short = bits <= SHARE * float32_bits
        return {
            "seed": seed,
            "seconds": seconds,
            "agreement": agreement,
            "psnr_db": metrics["psnr_db"][-1],
            "first_k": first_k,
            "last_k": last_k,
            "description_bits": bits,
            "float32_bits": float32_bits,
            "num_bytes": len(code_run(run).data),
            "passes": agreement >= AGREEMENT and is_short and last_k < first_k,
        }


def main() -> int:
    """Measure each seed, and name the seeds that miss."""
    arguments = argument_parser(__doc__.splitlines()[0]).parse_args()
    rows = []
    for seed in range(2 if arguments.quick else 5):
        row = measure(seed)
        rows.append(row)
        share = row["description_bits"] / row["float32_bits"]
        print(
            f"seed {seed}: {row['agreement']:.1%} of the pixels, {row['psnr_db']:.2f} dB, K "
            f"{row['first_k']:.2f} to {row['last_k']:.2f} nats, description {share:.0%} of "
            f"float32, file {row['num_bytes']:,} bytes, {row['seconds']:.0f} s "
            f"{'PASS' if row['passes'] else 'MISSES'}",
            flush=True,
        )
    write_results(arguments.output, {"seeds": rows})
    return 0 if all(row["passes"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

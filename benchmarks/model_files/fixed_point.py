"""What do whole numbers cost the coordinate predictor, in bits and in time?

``python -m benchmarks.model_files.fixed_point [--quick] [--output FILE]``; exit code 1 if hard bits
in fixed point are over 1 % from those that the same parameters give in floating point, or a file
takes over a second to write or to read. [10]*8 learns a ring beside K; other modules' predictors
learn their initial weights. One thread.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import bitfold
from benchmarks.harness.timing import (
    Spread,
    alternate,
    argument_parser,
    flattened,
    seconds_of,
    write_results,
)
from bitfold.entropy_coding.fixed_point.network import STEPS, step_lengths
from bitfold.kolmogorov import CoordinatePredictor, KolmogorovLoss
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor

MOST_APART, MOST_SECONDS = 0.01, 1.0
PRECISIONS = (6, 8, 10, 16)
RANGE, RATE, WEIGHT, NUM_POINTS = (-3.0, 3.0), 0.005, 0.003, 4096
NUM_STEPS, QUICK_STEPS = 6000, 300
SETTINGS = (("[10]*8", (5, 5), 256), ("410 x 100", (5, 5), 256), ("410 x 100", (16, 16), 128))


def trained(name: str, shape: tuple[int, ...], bins: int, num_steps: int) -> KolmogorovLoss:
    """Return a loss that learned beside its network, or beside fixed weights."""
    torch.manual_seed(0)
    network = bitfold.PolytopeNet(2, name, 1) if name.startswith("[") else nn.Linear(410, 100)
    limits = RANGE if name.startswith("[") else (-0.1, 0.1)
    predictor = CoordinatePredictor(shape)
    loss = KolmogorovLoss(network, predictor=predictor, bins=bins, weight_range=limits)
    points = 2 * torch.rand(NUM_POINTS, 2) - 1
    distance = points.norm(dim=1, keepdim=True)
    wanted = ((distance > 0.4) & (distance < 0.8)).float()
    own = list(loss.parameters())
    parameters = [*network.parameters(), *own] if name.startswith("[") else own
    optimizer = torch.optim.Adam(parameters, RATE)
    for _ in range(num_steps if name.startswith("[") else QUICK_STEPS):
        combined = WEIGHT * loss()
        if name.startswith("["):
            combined = combined + functional.mse_loss(network(points), wanted)
        optimizer.zero_grad()
        combined.backward()
        optimizer.step()
    return loss


def measure(loss: KolmogorovLoss, rounds: int) -> dict[str, Any]:
    """Return bits and seconds."""
    subset, values = loss.subsampling.all_weights(), loss._values(as_sent=True)
    predictor, module = loss.predictor, loss.table.module
    as_sent = predictor.sent(loss.predictor_bits)
    steps = step_lengths()[as_sent[STEPS]].tolist()
    numbers = (pair for pair in as_sent.items() if pair[0] != STEPS)
    received = {
        name: (item * step).float() for (name, item), step in zip(numbers, steps, strict=True)
    }

    def fixed() -> torch.Tensor:
        return predictor.hard_bits(subset, values, as_sent)[0]

    def floating() -> torch.Tensor:
        return WeightPredictor.hard_bits(predictor, subset, values, received)[0]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.bitfold"

        def file() -> list[float]:
            write = seconds_of(lambda: bitfold.write_model(path, module, loss))
            return [write, seconds_of(lambda: bitfold.read_model(path, into=module))]

        file()  # loads the loops
        files, _ = alternate(file, lambda: [0.0], rounds)
        size = path.stat().st_size
    slow, fast = alternate(
        lambda: [seconds_of(fixed)], lambda: [seconds_of(floating)], max(5, rounds)
    )
    return {
        "by_precision": by_precision(loss),
        "weights": loss.num_weights,
        "fixed_bits": float(fixed().sum()),
        "floating_bits": float(floating().sum()),
        "predictor_bits": loss.bits().items["predictor"],
        "parameters": sum(item.numel() for item in predictor.parameters()),
        "file_bytes": size,
        "write": Spread.of([one[0] for one in files]).record(),
        "read": Spread.of([one[1] for one in files]).record(),
        "count_fixed": flattened(slow).record(),
        "count_floating": flattened(fast).record(),
    }


def by_precision(loss: KolmogorovLoss) -> dict[str, list[float]]:
    """Return the bits of weights and predictor at some precisions."""
    found, usual = {}, loss.predictor_bits
    for precision in PRECISIONS:
        loss.predictor_bits = precision
        items = loss.bits().items
        found[str(precision)] = [items["weights"], items["predictor"]]
    loss.predictor_bits = usual
    return found


def main() -> int:
    """Measure, print and judge."""
    given = argument_parser(__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    results, is_good = {}, True
    for name, shape, bins in SETTINGS:
        loss = trained(name, shape, bins, QUICK_STEPS if given.quick else NUM_STEPS)
        found = measure(loss, 3 if given.quick else 11)
        results[f"{name}, {list(shape)}, {bins} bins"] = found
        apart = found["fixed_bits"] / found["floating_bits"] - 1
        slowest = max(found["write"]["median"], found["read"]["median"])
        is_good &= abs(apart) < MOST_APART and slowest < MOST_SECONDS
        print(
            f"{name}, {list(shape)}, {bins} bins: weights {found['fixed_bits']:,.0f} bits, "
            f"{apart:+.2%} of floating point; predictor {found['predictor_bits']:,.0f} bits, "
            f"{found['predictor_bits'] / found['parameters']:.2f} each; "
            f"{found['file_bytes']:,} bytes"
        )
        print(
            f"    write {found['write']['median'] * 1e3:.1f} ms, read "
            f"{found['read']['median'] * 1e3:.1f} ms; counting {found['weights']:,} weights "
            f"{found['count_fixed']['median'] * 1e3:.2f} ms, in floating point "
            f"{found['count_floating']['median'] * 1e3:.2f} ms"
        )
        for precision, (weights, predictor) in found["by_precision"].items():
            print(f"    predictor_bits={precision}: {weights:,.0f} and {predictor:,.0f} bits")
    write_results(given.output, results)
    return 0 if is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())

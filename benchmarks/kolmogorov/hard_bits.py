"""How long do `bits()`, `report()` and `write_model` take for a loss of 11.7 million weights?

``python -m benchmarks.kolmogorov.hard_bits [--quick] [--output docs/results/hard_bits.json]``; exit
code 1 if a repeated ``bits()`` takes over 0.6 s of processor time or is not 3 times as fast as the
count weight by weight in PyTorch, or if a repeated ``write_model`` takes over 1.5 s. Each is called
once in a fresh state, which loads its code, and then again and again; before training, and after
steps that leave dead rows and weights out of range. One thread. Processor time does not depend on
what else the machine does; seconds of the clock stand beside it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.harness.timing import Spread, argument_parser, write_results
from benchmarks.kolmogorov.large import make_loss, resnet_shaped
from bitfold import write_model
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.description.bits import coded_weights

MOST_BITS_SECONDS, MOST_WRITE_SECONDS, LEAST_RATIO = 0.6, 1.5, 3.0
LOSSES: dict[str, dict[str, Any]] = {
    "row_column, auto": {"predictor": "row_column"},
    "row_column, learned": {"predictor": "row_column", "quantise": "learned"},
}


def train(module: nn.Module, loss: KolmogorovLoss) -> None:
    """Take two steps of K, then make dead rows and weights out of range, as long training does."""
    optimizer = torch.optim.Adam([*module.parameters(), *loss.parameters()], 1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    with torch.no_grad():
        for item in module.parameters():
            if item.ndim > 1:
                item[::3] = 0
                item.view(-1)[::1001] *= 40


def both_seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Return the processor time and wall time of one call."""
    processor, clock = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - processor, time.perf_counter() - clock


def weight_by_weight(loss: KolmogorovLoss) -> float:
    """Return the bits by PyTorch, one number for each weight."""
    described = loss.described
    as_sent = described.send_predictor(loss.predictor_bits)
    coded = coded_weights(described, as_sent, loss.table.all_weights())
    return float(coded.bits.sum() + coded.escapes.sum())


def measure(state: str, module: nn.Module, loss: KolmogorovLoss, rounds: int) -> dict[str, Any]:
    """Print and return the first and the repeated calls of one state of the weights.

    Raises:
        RuntimeError: the two counts of bits differ.
    """
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.bitfold"
        calls: dict[str, Callable[[], object]] = {
            "bits": loss.bits,
            "report": loss.report,
            "write_model": lambda: write_model(path, module, loss),
            "weight by weight": lambda: weight_by_weight(loss),
        }
        for name, call in calls.items():
            first = both_seconds(call)
            again = [both_seconds(call) for _ in range(rounds)]
            spreads = [Spread.of(some) for some in zip(*again, strict=True)]
            found[name] = {
                "first_processor_seconds": round(first[0], 4),
                "processor_seconds": spreads[0].record(),
                "clock_seconds": spreads[1].record(),
            }
            print(
                f"{state}, {name}: first {first[0]:.2f} s of the processor, then "
                f"{spreads[0].text(1, ' s')}, {spreads[1].text(1, ' s')} by the clock",
                flush=True,
            )
    items = loss.bits().items
    counted = items["weights"] + items["out_of_range"]
    expected = weight_by_weight(loss)
    if abs(counted - expected) > 1e-6 * expected:
        raise RuntimeError(f"The bits are {expected} and {counted}.")
    return found


def main() -> int:
    """Measure all states, and say whether they are within the limits."""
    arguments = argument_parser(__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    cases: dict[str, Any] = {}
    for name, settings in LOSSES.items():
        torch.manual_seed(0)
        module = resnet_shaped()
        loss = make_loss(module, **settings)
        rounds = 2 if arguments.quick else 5
        cases[f"{name}, untrained"] = measure(f"{name}, untrained", module, loss, rounds)
        train(module, loss)
        cases[f"{name}, trained"] = measure(f"{name}, trained", module, loss, rounds)
    medians = {
        what: [rows[what]["processor_seconds"]["median"] for rows in cases.values()]
        for what in ("bits", "write_model", "weight by weight")
    }
    ratio = min(
        plain / ours
        for ours, plain in zip(medians["bits"], medians["weight by weight"], strict=True)
    )
    is_met = (
        max(medians["bits"]) <= MOST_BITS_SECONDS
        and max(medians["write_model"]) <= MOST_WRITE_SECONDS
        and ratio >= LEAST_RATIO
    )
    print(
        f"bits() {max(medians['bits']):.3g} s and write_model {max(medians['write_model']):.3g} s "
        f"of the processor at most, {ratio:.3g} times as fast as weight by weight at least: "
        f"{'PASS' if is_met else 'SHORT'}"
    )
    write_results(arguments.output, {"cases": cases, "ratio": ratio, "is_met": is_met})
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())

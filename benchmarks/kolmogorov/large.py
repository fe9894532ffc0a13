"""What do K's forward and backward take for 11.7 million weights?

``python -m benchmarks.kolmogorov.large [--quick] [--output docs/results/large.json]``; exit code 1
if ``row_column`` takes over 0.6 s or any call over 1 GB. The module has the tensors of a ResNet-18.
The plain way is the same loss by PyTorch's operations on whole tensors and autograd, in turn with
ours in one process, two threads for both. Peak memory is that of a process of its own, above what
module and loss hold; the gradients of the weights are part of it.
"""

from __future__ import annotations

import gc
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.harness.timing import (
    alternate,
    argument_parser,
    flattened,
    ratios,
    seconds_of,
    write_results,
)
from bitfold.kolmogorov import KolmogorovLoss, RowColumnPredictor
from bitfold.kolmogorov.grid.learned_range import LearnedRange
from bitfold.kolmogorov.predictors.scale_fit import SCALE_FLOOR
from bitfold.kolmogorov.sums.log_mass import log_mass_laplace

NUM_THREADS = 2
MOST_SECONDS, MOST_MEGABYTES = 0.6, 1000.0
NUM_BINS = 256
FIXED_RANGE = (-1.0, 1.0)
SAMPLE = 65_536
WIDTHS = (64, 128, 256, 512)
# Twice the memory of the weights.
WIDER_WIDTHS = (90, 181, 362, 724)
RANGES: dict[str, str | tuple[float, float]] = {"auto": "auto", "fixed": FIXED_RANGE}
#: The task of a child process: settings of the loss, and the call.
MEMORY_CASES: dict[str, tuple[dict[str, Any], str]] = {
    "row_column, auto": ({"predictor": "row_column"}, "step"),
    "row_column, fixed": ({"predictor": "row_column", "weight_range": FIXED_RANGE}, "step"),
    "row_column, noise": ({"predictor": "row_column", "targets": "noise"}, "step"),
    "row_column, bits": ({"predictor": "row_column"}, "bits"),
    "row_column, report": ({"predictor": "row_column"}, "report"),
    "row_column, decoded state": ({"predictor": "row_column"}, "decoded_state"),
    "coordinate, sample": ({"predictor": "coordinate", "sample": SAMPLE}, "step"),
    "coordinate, all": ({"predictor": "coordinate"}, "step"),
}
PLAIN = "row_column, plain"


def resnet_shaped(widths: Sequence[int] = WIDTHS, num_classes: int = 1000) -> nn.Module:
    """Return a module with the parameters of a ResNet-18, in their order; it computes nothing."""
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 7, bias=False), nn.BatchNorm2d(widths[0])]
    fan_in = widths[0]
    for stage, width in enumerate(widths):
        for number in range(2):
            shapes = [(fan_in, 3), (width, 3)]
            if stage > 0 and number == 0:
                shapes.append((fan_in, 1))
            for channels, size in shapes:
                layers += [nn.Conv2d(channels, width, size, bias=False), nn.BatchNorm2d(width)]
            fan_in = width
    return nn.ModuleList([*layers, nn.Linear(fan_in, num_classes)])


class PlainLoss:
    """The cost of linear targets under ``row_column``, as autograd computes it by tensors.

    It reads a loss's learned values, and shares only the logarithm of a mass with bitfold.

    Args:
        loss: gives the range and the predictor, which is `row_column`.
    """

    def __init__(self, loss: KolmogorovLoss) -> None:
        assert isinstance(loss.predictor, RowColumnPredictor)
        self.loss, self.predictor, bins = loss, loss.predictor, loss.bins
        self.minimum, self.maximum, self.width = bins.minimum, bins.maximum, bins.width

    def __call__(self) -> Tensor:
        """Return K."""
        loss, predictor = self.loss, self.predictor
        first_row = first_column = 0
        total = torch.zeros(())
        for number, weights in enumerate(loss.table.parameters):
            log_scale: Tensor = predictor.log_scale[number]
            if weights.dim() > 1:
                rows, columns = weights.shape[:2]
                row = predictor.row_log_scale[first_row : first_row + rows]
                column = predictor.column_log_scale[first_column : first_column + columns]
                first_row, first_column = first_row + rows, first_column + columns
                log_scale = log_scale + row.unsqueeze(1) + column
                log_scale = log_scale.view(rows, columns, *[1] * (weights.dim() - 2))
            total = total + self._tensor_nats(number, weights, log_scale)
        return total / loss.num_weights

    def _tensor_nats(self, number: int, weights: Tensor, log_scale: Tensor) -> Tensor:
        precision: Tensor | float = 0.0
        values, weight_range = weights, self.loss.weight_range
        if isinstance(weight_range, LearnedRange):
            log_step = weight_range.log_steps[number]
            values = weights / log_step.exp()
            ratio = log_step - weight_range.reference[number]
            precision = weights.numel() * (2 * ratio).exp() / 2
        within = values.clamp(self.minimum, self.maximum)
        escapes = 2 * torch.log1p((values - within).abs() / self.width)
        index = (within - self.minimum) / self.width
        below = index.detach().floor().clamp(0, NUM_BINS - 2)
        share = index - below
        location = self.predictor.location[number] - self.minimum / self.width
        scale = log_scale.exp() + SCALE_FLOOR
        costs = [
            -log_mass_laplace(bin_ - location, scale, bin_ == 0, bin_ == NUM_BINS - 1)
            for bin_ in (below, below + 1)
        ]
        return ((1 - share) * costs[0] + share * costs[1] + escapes).sum() + precision


def make_loss(module: nn.Module, **settings: Any) -> KolmogorovLoss:
    """Return a loss of NUM_BINS bins and linear targets, unless the settings differ."""
    generator = torch.Generator().manual_seed(0)
    return KolmogorovLoss(module, bins=NUM_BINS, generator=generator, **settings)


def step_of(loss: KolmogorovLoss, cost: Callable[[], Tensor]) -> Callable[[], float]:
    """Return a function that does K's forward and backward, with empty gradients around it."""
    leaves = [*loss.table.parameters, *loss.parameters()]

    def step() -> float:
        for leaf in leaves:
            leaf.grad = None
        nats = cost()
        nats.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
        return nats.item()

    return step


def gradients(module: nn.Module) -> Tensor:
    """Return the gradients by all weights in one vector."""
    found = []
    for item in module.parameters():
        assert item.grad is not None
        found.append(item.grad.flatten())
    return torch.cat(found)


def check_agreement(
    module: nn.Module, plain: Callable[[], float], ours: Callable[[], float]
) -> None:
    """Stop the benchmark unless both ways compute the same K and the same gradients by weights.

    Raises:
        RuntimeError: they do not.
    """
    found = []
    for step in (plain, ours):
        nats = step()
        found.append((nats, gradients(module)))
    (expected, expected_slope), (nats, slope) = found
    differing = ((slope - expected_slope).norm() / expected_slope.norm()).item()
    if abs(nats - expected) > 1e-5 * expected or differing > 1e-3:
        raise RuntimeError(f"K is {expected} and {nats}, gradients differ by {differing}.")


def measure_times(range_name: str, rounds: int) -> dict[str, Any]:
    """Return spreads of both ways' times and of their ratio."""
    torch.manual_seed(0)
    module = resnet_shaped()
    loss = make_loss(module, predictor="row_column", weight_range=RANGES[range_name])
    plain, ours = step_of(loss, PlainLoss(loss)), step_of(loss, loss)
    check_agreement(module, plain, ours)
    slow, fast = alternate(
        lambda: [seconds_of(plain)], lambda: [seconds_of(ours) for _ in range(5)], rounds
    )
    ratio = ratios(slow, fast)
    spread = flattened(fast)
    print(
        f"row_column, {range_name} range, {loss.num_weights:,} weights: {spread.text(1, ' s')}; "
        f"whole tensors and autograd {flattened(slow).text(1, ' s')}: {ratio.text()} times as fast",
        flush=True,
    )
    return {
        "weights": loss.num_weights,
        "seconds": spread.record(),
        "least_seconds": round(min(map(min, fast)), 4),
        "plain_seconds": flattened(slow).record(),
        "ratio": ratio.record(),
    }


def extra_megabytes(case: str, widths: Sequence[int]) -> dict[str, float]:
    """Return the memory that a child process reports for one call: see `print_extra_megabytes`."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.kolmogorov.large",
        "--call",
        case,
        *map(str, widths),
    ]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return {"weights": int(answer[0]), "extra_mb": float(answer[1]), "seconds": float(answer[2])}


def print_extra_megabytes(case: str, widths: Sequence[int]) -> None:
    """Make one call, after a small one that loads all code, and print the memory that it added.

    Raises:
        OSError: the system has no /proc/self/clear_refs, by which Linux forgets an earlier peak.
    """
    settings, what = MEMORY_CASES[case.replace(PLAIN, "row_column, auto")]

    def call_of(module: nn.Module) -> tuple[KolmogorovLoss, Callable[[], object]]:
        loss = make_loss(module, **settings)
        if case == PLAIN:
            return loss, step_of(loss, PlainLoss(loss))
        return loss, step_of(loss, loss) if what == "step" else getattr(loss, what)

    torch.manual_seed(0)
    call_of(resnet_shaped((2, 3, 4, 5), 5))[1]()
    loss, call = call_of(resnet_shaped(widths))
    gc.collect()
    held = status_megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    seconds = seconds_of(call)
    print(loss.num_weights, round(status_megabytes("VmHWM") - held, 1), round(seconds, 3))


def status_megabytes(name: str) -> float:
    """Return a value of this process's /proc status, in MB of 10^6 bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024 / 1e6
    return math.nan


def measure_memory(is_quick: bool) -> dict[str, Any]:
    """Return each case's peak at both sizes, or at one with ``--quick``."""
    cases = [*MEMORY_CASES, PLAIN]
    if is_quick:
        cases.remove("coordinate, all")
    results: dict[str, Any] = {}
    for case in cases:
        results[case] = [extra_megabytes(case, WIDTHS)]
        if not is_quick and case != PLAIN:
            results[case].append(extra_megabytes(case, WIDER_WIDTHS))
        text = "; ".join(
            f"{row['weights'] / 1e6:.1f} million weights {row['extra_mb']:.0f} MB extra, "
            f"{row['extra_mb'] * 1e6 / row['weights']:.1f} bytes a weight"
            for row in results[case]
        )
        print(f"{case}: {text}", flush=True)
    return results


def main() -> int:
    """Measure times and memory, and say whether they are within the limits."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--call", nargs="+", help="only make one call and print its memory")
    arguments = parser.parse_args()
    torch.set_num_threads(NUM_THREADS)
    if arguments.call:
        print_extra_megabytes(arguments.call[0], [int(width) for width in arguments.call[1:]])
        return 0
    times = {name: measure_times(name, 3 if arguments.quick else 5) for name in RANGES}
    memory = measure_memory(arguments.quick)
    slowest = max(float(row["seconds"]["median"]) for row in times.values())
    largest = max(rows[0]["extra_mb"] for case, rows in memory.items() if case != PLAIN)
    is_met = slowest <= MOST_SECONDS and largest <= MOST_MEGABYTES
    print(f"{slowest:.3g} s and {largest:.0f} MB at most: {'PASS' if is_met else 'SHORT'}")
    write_results(arguments.output, {"times": times, "memory": memory, "is_met": is_met})
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())

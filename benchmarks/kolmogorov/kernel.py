"""How many times as fast, and how much smaller, is the compiled sum than weights by bins?

``python -m benchmarks.kolmogorov.kernel [--quick] [--output docs/results/kernel.json]``; exit code
1 if a requirement is missed. One forward and backward of K, 256 bins, a coordinate predictor [5,
5]: by the straightforward program's softmax over weights by bins, and by the compiled sum, in turn
in one process on the same weights, two threads for both. Peak memory is that of a process of its
own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

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
from benchmarks.opponents.straightforward import (
    WeightPredictor,
    build_network,
    kolmogorov_loss,
    weight_positions,
)
from bitfold.kolmogorov.sums.fused.coordinate_sums import fused_sum

NUM_THREADS = 2
NUM_BINS = 256
LIMIT = 3.0
TEMPERATURE = 0.1
SHAPES = {"[10]*8": [10] * 8, "[100]*5": [100] * 5}
# Requirements for the larger shape, and their units.
REQUIRED, REQUIRED_RATIO, REQUIRED_SHARE = "[100]*5", 10.0, 0.1
WAYS = ("plain", "soft", "linear")


class Problem(NamedTuple):
    """A network, a predictor of its weights, and the weights' positions."""

    network: nn.Sequential
    predictor: WeightPredictor
    positions: Tensor

    def parameters(self) -> list[nn.Parameter]:
        """Return all tensors that get a gradient."""
        return [*self.network.parameters(), *self.predictor.parameters()]


def make_problem(shape: list[int]) -> Problem:
    """Return the same problem at each call."""
    torch.manual_seed(0)
    network = build_network(shape)
    return Problem(network, WeightPredictor(num_bins=NUM_BINS), weight_positions(network))


def plain_step(problem: Problem) -> tuple[float, list[Tensor]]:
    """Return K and its gradients by PyTorch's operations on weights by bins."""
    loss = kolmogorov_loss(*problem, temperature=TEMPERATURE)
    return loss.item(), list(torch.autograd.grad(loss, problem.parameters()))


@torch.no_grad()
def fused_step(problem: Problem, temperature: float | None) -> tuple[float, list[Tensor]]:
    """Return K and its gradients by the compiled sum, from the network's tensors to its tensors."""
    tensors = list(problem.network.parameters())
    weights = torch.cat([tensor.flatten() for tensor in tensors])
    width = 2 * LIMIT / (NUM_BINS - 1)
    layers = list(problem.predictor.parameters())
    index = (weights + LIMIT) / width
    found = fused_sum(index, problem.positions, layers, NUM_BINS, temperature, True)
    scale = 1 / len(weights)
    sizes = [tensor.numel() for tensor in tensors]
    by_weight = torch.split(found.grad_index * (scale / width), sizes)
    gradients = [part.view_as(tensor) for part, tensor in zip(by_weight, tensors, strict=True)]
    return found.total * scale, gradients + [item.mul_(scale) for item in found.grad_layers]


def step_of(problem: Problem, way: str) -> Callable[[], tuple[float, list[Tensor]]]:
    """Return a function that does one step in one of WAYS."""
    if way == "plain":
        return lambda: plain_step(problem)
    return lambda: fused_step(problem, TEMPERATURE if way == "soft" else None)


def check_agreement(problem: Problem) -> None:
    """Stop the benchmark unless both ways compute the same K and gradients.

    Raises:
        RuntimeError: they do not.
    """
    (plain, plain_gradients), (fused, fused_gradients) = (
        step_of(problem, way)() for way in ("plain", "soft")
    )
    worst = max(
        ((a - b).norm() / a.norm()).item()
        for a, b in zip(plain_gradients, fused_gradients, strict=True)
    )
    if abs(plain - fused) > 1e-5 * plain or worst > 1e-3:
        raise RuntimeError(f"K is {plain} and {fused}, gradients differ by {worst}.")


def measure_times(shape: str, rounds: int) -> dict[str, Any]:
    """Return the spreads of the times and of their ratios for a shape."""
    problem = make_problem(SHAPES[shape])
    check_agreement(problem)
    results: dict[str, Any] = {"weights": len(problem.positions)}
    plain = step_of(problem, "plain")
    for way in WAYS[1:]:
        fused = step_of(problem, way)
        fused()
        slow, fast = alternate(
            lambda: [seconds_of(plain) for _ in range(3)],
            lambda fused=fused: [seconds_of(fused) for _ in range(30)],  # type: ignore[misc]
            rounds,
        )
        ratio = ratios(slow, fast)
        print(
            f"{shape}, {way}: {flattened(fast).text(1e3, ' ms')}, least "
            f"{min(map(min, fast)) * 1e3:.3g} ms; softmax over weights by bins "
            f"{flattened(slow).text(1e3, ' ms')}: {ratio.text()} times as fast",
            flush=True,
        )
        results[way] = {
            "fused_seconds": flattened(fast).record(),
            "plain_seconds": flattened(slow).record(),
            "ratio": ratio.record(),
        }
    return results


def extra_megabytes(shape: str, way: str) -> float:
    """Return the resident memory that one step adds, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.kolmogorov.kernel", "--step", shape, way]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(answer.stdout.split()[-1])


def print_extra_megabytes(shape: str, way: str) -> None:
    """Do one step, after a small one that loads all code, and print the memory that it added.

    Raises:
        OSError: the system has no /proc/self/clear_refs, by which Linux forgets an earlier peak.
    """
    step_of(make_problem([10]), way)()
    step = step_of(make_problem(SHAPES[shape]), way)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _status_megabytes("VmRSS")
    step()
    print(_status_megabytes("VmHWM") - before)


def _status_megabytes(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def main() -> int:
    """Measure times and memory, and say whether they meet the requirements."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--step", nargs=2, help="a shape and a way; used for measuring memory")
    arguments = parser.parse_args()
    torch.set_num_threads(NUM_THREADS)
    if arguments.step:
        print_extra_megabytes(*arguments.step)
        return 0
    rounds = {"[10]*8": 11, "[100]*5": 5} if arguments.quick else {"[10]*8": 101, "[100]*5": 21}
    results = {shape: measure_times(shape, rounds[shape]) for shape in SHAPES}
    megabytes = {way: extra_megabytes(REQUIRED, way) for way in WAYS}
    share = max(megabytes["soft"], megabytes["linear"]) / megabytes["plain"]
    ratio = results[REQUIRED]["soft"]["ratio"]["median"]
    is_enough = ratio >= REQUIRED_RATIO and share <= REQUIRED_SHARE
    held = ", ".join(f"{way} {value:.1f} MB" for way, value in megabytes.items())
    print(f"{REQUIRED}, peak extra memory of a step: {held}; {share:.2%} of the plain way's.")
    print(
        f"{REQUIRED}: {ratio:.3g} times as fast (required: {REQUIRED_RATIO:g}) in {share:.2%} of "
        f"the memory (required: at most {REQUIRED_SHARE:.0%}). {'PASS' if is_enough else 'SHORT'}"
    )
    write_results(
        arguments.output, {"times": results, "extra_megabytes": megabytes, "is_enough": is_enough}
    )
    return 0 if is_enough else 1


if __name__ == "__main__":
    sys.exit(main())

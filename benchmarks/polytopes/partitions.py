"""How many times as fast as regioncam are exact partitions, and are they the same?

``python -m benchmarks.polytopes.partitions [--quick] [--output docs/results/polytopes.json]``; exit
code 1 if a required ratio is missed or a partition does not check. regioncam (Rust, float32) is the
fastest published engine that can be installed; both get the same network on the same square, in
turn in one process, two threads for both. ``--single`` measures only single calls: each partition
of [10]*8 follows a product of two matrices, as between other work. ``--memory`` instead measures
what partitions take at the most, each in a process of its own, against what docs/polytopes.md says.
"""

from __future__ import annotations

import math
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import regioncam
import torch
from torch import nn

import bitfold
from benchmarks.harness.folders import RESULTS
from benchmarks.harness.timing import (
    alternate,
    argument_parser,
    flattened,
    ratios,
    seconds_of,
    write_results,
)
from benchmarks.polytopes.mixed_networks import mixed_network
from bitfold.errors import PolytopeError
from bitfold.networks import parse_shape

SAVED = RESULTS / "polytopes.json"
MEMORY_RESULTS = SAVED.with_name("polytopes_memory.json")
#: Widths, required speed-up, and number of turns.
SPEED_CASES = (
    ("[10]*8", [10] * 8, 8.0, 15),
    ("[64]*4", [64] * 4, 8.0, 7),
    ("[100]*5", [100] * 5, 15.0, 5),
    ("[512]", [512], 12.0, 5),
)
COUNT_WIDTHS = ([4], [8, 8], [16] * 3, [10] * 8, [32, 16, 8], [64], [24] * 4, [6] * 12)
#: Single calls: widths, required speed-up, pairs of calls, and the side of the matrices that are
#: multiplied in between.
SINGLE_WIDTHS, SINGLE_REQUIRED, NUM_SINGLE, PRODUCT_SIDE = [10] * 8, 4.0, 500, 300
TURN_SECONDS = 0.02
NUM_COUNTED, NUM_CHECKED = 64, 1000


def dense(
    widths: list[int], activation: Callable[[], nn.Module], outputs: int = 1
) -> nn.Sequential:
    """Return layers of two inputs as He et al. initialise them, biases 0.1."""
    parts: list[nn.Module] = []
    for fan_in, fan_out in zip([2, *widths], widths, strict=False):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.normal_(linear.weight, 0, math.sqrt(2 / fan_in))
        nn.init.constant_(linear.bias, 0.1)
        parts += [linear, activation()]
    network = nn.Sequential(*parts, nn.Linear(widths[-1], outputs))
    network.eval()
    return network


def peer(network: nn.Sequential) -> Any:
    """Return regioncam's partition of a ReLU network on the unit square around 0."""
    found = regioncam.Regioncam(size=0.5)
    for layer in list(network)[:-1]:
        if isinstance(layer, nn.Linear):
            found.linear(layer.weight.detach().numpy().T, layer.bias.detach().numpy())
        else:
            found.relu()
    return found


def repeated(once: Callable[[], Any]) -> Callable[[], list[float]]:
    """Return a function that calls for about TURN_SECONDS, at least once, and returns its times."""
    count = max(1, round(TURN_SECONDS / min(seconds_of(once) for _ in range(3))))
    return lambda: [seconds_of(once) for _ in range(count)]


def measure_speed(widths: list[int], rounds: int) -> dict[str, Any]:
    """Return times of both, and their ratio."""
    torch.manual_seed(0)
    network = dense(widths, nn.ReLU)
    ours, theirs = bitfold.partition(network), peer(network)
    # Both turns take about equally long, so that neither meets the other's caches more often.
    slow, fast = alternate(
        repeated(lambda: peer(network)), repeated(lambda: bitfold.partition(network)), rounds
    )
    ratio = ratios(slow, fast)
    return {
        "polytopes": ours.num_polytopes,
        "polytopes_of_regioncam": theirs.num_faces,
        "bitfold_seconds": flattened(fast).record(),
        "regioncam_seconds": flattened(slow).record(),
        "times_as_fast": ratio.record(),
    }


def measure_single(count: int) -> dict[str, Any]:
    """Return times of single calls between other work, and their ratio call by call."""
    torch.manual_seed(0)
    network, matrix = dense(SINGLE_WIDTHS, nn.ReLU), torch.randn(PRODUCT_SIDE, PRODUCT_SIDE)

    def after_a_product(once: Callable[[], Any]) -> Callable[[], list[float]]:
        def turn() -> list[float]:
            _ = matrix @ matrix
            return [seconds_of(once)]

        return turn

    def theirs() -> Any:
        return peer(network)

    def ours() -> Any:
        return bitfold.partition(network)

    for call in (theirs, ours):
        seconds_of(call)
    slow, fast = alternate(after_a_product(theirs), after_a_product(ours), count)
    return {
        "bitfold_seconds": flattened(fast).record(),
        "regioncam_seconds": flattened(slow).record(),
        "times_as_fast": ratios(slow, fast).record(),
        "required": SINGLE_REQUIRED,
    }


def print_single(quick: bool) -> tuple[dict[str, Any], bool]:
    """Print and return single calls, and whether one is too slow."""
    row = measure_single(50 if quick else NUM_SINGLE)
    times = row["times_as_fast"]
    is_short = times["median"] < SINGLE_REQUIRED
    print(
        f"[10]*8 in single calls: {row['bitfold_seconds']['median'] * 1e3:.3g} ms against "
        f"{row['regioncam_seconds']['median'] * 1e3:.3g} ms: {times['median']:.3g} times as fast "
        f"({times['low_quartile']:.3g} to {times['high_quartile']:.3g}), needs "
        f"{SINGLE_REQUIRED:g}: {'SHORT' if is_short else 'PASS'}",
        flush=True,
    )
    return row, is_short


def compare_counts(count: int) -> list[dict[str, Any]]:
    """Return both engines' vertices, edges and faces, for networks where they differ."""
    different = []
    for seed in range(count):
        torch.manual_seed(seed)
        network = dense(COUNT_WIDTHS[seed % len(COUNT_WIDTHS)], nn.ReLU)
        ours, theirs = bitfold.partition(network), peer(network)
        ours.check()
        mine = [len(ours.vertices), len(ours.edges), ours.num_polytopes]
        other = [theirs.num_vertices, theirs.num_edges, theirs.num_faces]
        if mine != other:
            smallest = float(ours.areas.min())
            different.append(
                {"seed": seed, "bitfold": mine, "regioncam": other, "smallest_area": smallest}
            )
    return different


def check_many(count: int) -> list[str]:
    """Return the failures of partitions of random networks of mixed kinds."""
    wrong = []
    for seed in range(count):
        kind, network, domain, plane = mixed_network(seed)
        try:
            bitfold.partition(network, domain, plane).check()
        except PolytopeError as error:
            wrong.append(f"seed {seed}, {kind}: {error}")
    return wrong


def measure_wide() -> int:
    """Print time and memory of one layer of 4096; return 1 if it takes over 60 s or 12 GB."""
    torch.manual_seed(0)
    bitfold.partition(dense([4], nn.ReLU))  # loads the loops
    network, found = dense([4096], nn.ReLU), []
    seconds = seconds_of(lambda: found.append(bitfold.partition(network)))
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{found[0].num_polytopes:,} polytopes in {seconds:.1f} s, {gigabytes:.1f} GB at the most"
    )
    return int(seconds > 60 or gigabytes > 12)


#: Widths, the side of the square, and the largest number of polytopes.
MEMORY_CASES = (
    ("[10]*8", 1.0, 10**7),
    ("[64]*4", 1.0, 10**7),
    ("[64]*4", 20.0, 10**7),
    ("[64]*8", 1.0, 10**7),
    ("[100]*5", 1.0, 10**7),
    ("[200]*4", 1.0, 10**7),
    ("[400]+[20]", 1.0, 10**7),
    ("[60]+[1500]", 1.0, 10**7),
    ("[512]", 1.0, 10**7),
    ("[2048]", 1.0, 10**7),
    ("[4096]", 1.0, 10**7),
    ("[100]*5", 1.0, 30_000),
    ("[300]*3", 1.0, 200_000),
    ("[4096]", 1.0, 10**6),
    ("[20000]", 1.0, 10**6),
)
#: The promise of docs/polytopes.md: bytes before the first polytope and for each polytope, part of
#: them for each neuron of the widest of several layers.
START_BYTES, POLYTOPE_BYTES, NEURON_BYTES = 500e6, 250, 16


def measure_memory(path: Path) -> int:
    """Print and write each case's largest memory; return 1 if a case takes over the promise."""
    rows = []
    for shape, side, most in MEMORY_CASES:
        command = [sys.executable, "-m", "benchmarks.polytopes.partitions", "--memory-of", shape]
        command += [str(side), str(most)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        said, count, taken = done.stdout.strip().rsplit(" ", 2)
        widths = parse_shape(shape)
        widest = max(widths) if len(widths) > 1 else 0
        promised = START_BYTES + int(count) * (POLYTOPE_BYTES + NEURON_BYTES * widest)
        row: dict[str, Any] = {"shape": shape, "side": side, "result": said, "bytes": int(taken)}
        rows.append({**row, "promised_bytes": int(promised)})
        print(
            f"{shape} on a square of {side:g}: {said}, {int(taken) / 1e6:,.0f} MB, promised "
            f"{promised / 1e6:,.0f} MB: {'OVER' if int(taken) > promised else 'PASS'}",
            flush=True,
        )
    write_results(path, {"memory": rows})
    return int(any(row["bytes"] > row["promised_bytes"] for row in rows))


def print_memory(shape: str, side: float, most: int) -> int:
    """Print one partition's outcome, number of polytopes and peak bytes."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    network = dense(list(parse_shape(shape)), nn.ReLU)
    corner = side / 2
    try:
        domain = ((-corner, -corner), (corner, corner))
        count = bitfold.partition(network, domain, max_polytopes=most).num_polytopes
        said = f"{count:,} polytopes"
    except PolytopeError:
        count, said = most, f"ended beyond {most:,}"
    unit = 1 if sys.platform == "darwin" else 1024
    print(said, count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
    return 0


def print_speed(quick: bool) -> tuple[dict[str, Any], list[str]]:
    """Print and return the loops of calls, and the names of the cases that are too slow."""
    rows: dict[str, Any] = {}
    missed: list[str] = []
    for name, widths, required, rounds in SPEED_CASES:
        row = measure_speed(widths, 3 if quick else rounds)
        times = row["times_as_fast"]
        is_short = times["median"] < required
        missed += [name] if is_short else []
        print(
            f"{name}: {row['polytopes']:,} polytopes (regioncam {row['polytopes_of_regioncam']:,}) "
            f"in {row['bitfold_seconds']['median'] * 1e3:.3g} ms against "
            f"{row['regioncam_seconds']['median'] * 1e3:.3g} ms: {times['median']:.3g} times as "
            f"fast ({times['low_quartile']:.3g} to {times['high_quartile']:.3g}), needs "
            f"{required:g}: {'SHORT' if is_short else 'PASS'}",
            flush=True,
        )
        rows[name] = {**row, "required": required}
    return rows, missed


def main() -> int:
    """Measure, compare and check."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--wide", action="store_true", help="one layer of 4096 alone, and no peer")
    parser.add_argument("--single", action="store_true", help="single calls alone")
    parser.add_argument("--memory", action="store_true", help="memory alone, and no peer")
    parser.add_argument(
        "--memory-of", nargs=3, metavar=("SHAPE", "SIDE", "MOST"), help="of one case"
    )
    arguments = parser.parse_args()
    if arguments.memory_of:
        shape, side, most = arguments.memory_of
        return print_memory(shape, float(side), int(most))
    if arguments.memory:
        return measure_memory(arguments.output or MEMORY_RESULTS)
    if arguments.wide:
        return measure_wide()
    torch.set_num_threads(2)
    single, is_short = print_single(arguments.quick)
    if arguments.single:
        write_results(arguments.output, {"single_calls": single})
        return int(is_short)
    if arguments.output is None and not arguments.quick:
        arguments.output = SAVED
    rows, missed = print_speed(arguments.quick)
    missed += ["single calls"] if is_short else []
    different = compare_counts(8 if arguments.quick else NUM_COUNTED)
    print(f"Counts differ in {len(different)} networks.", *different, sep="\n")
    wrong = check_many(50 if arguments.quick else NUM_CHECKED)
    print(f"{len(wrong)} partitions do not check.", *wrong, sep="\n")
    results = {"speed": rows, "single_calls": single, "different_counts": different, "wrong": wrong}
    write_results(arguments.output, results)
    return 1 if missed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())

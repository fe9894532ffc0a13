"""What do a partition and its measures take, and how much less than straightforward NumPy?

``python -m benchmarks.polytopes.measures [--quick] [--output docs/results/measures.json]``; exit
code 1 if a limit is missed or both find other numbers. Straightforward: patterns and maps of every
polytope by the network itself, all bits unpacked, every point against every fold, every place along
the folds against the whole decision boundary. Both get the same partition, in turn, in one thread.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import bitfold
from benchmarks.harness.folders import DOCS
from benchmarks.harness.pages import replace_block
from benchmarks.harness.timing import (
    Spread,
    alternate,
    argument_parser,
    flattened,
    ratios,
    seconds_of,
    write_results,
)
from bitfold.polytopes import measure_folds
from bitfold.polytopes.measuring.nearness import NUM_FOLD_POINTS

RESULTS = DOCS / "results" / "measures.json"
NUM_POINTS = 5000
#: Shapes, the limit of seconds for partition and measures together, and the number of turns.
CASES = (("[10]*8", 0.006, 9), ("[64]*4", 0.1, 3), ("[100]*5", 0.5, 1))
_CHUNK = 2**22  # distances in memory at a time

Doubles = NDArray[np.float64]


def nearest(points: Doubles, segments: Doubles) -> Doubles:
    """Return each point's distance from the nearest segment, by trying all segments."""
    starts, along = segments[:, 0], segments[:, 1] - segments[:, 0]
    squares = np.maximum((along**2).sum(1), 1e-300)
    found = []
    size = max(1, _CHUNK // len(segments))
    for first in range(0, len(points), size):
        away = points[first : first + size, None] - starts
        share = np.clip((away * along).sum(2) / squares, 0, 1)
        found.append(((away - share[..., None] * along) ** 2).sum(2).min(1))
    distances: Doubles = np.sqrt(np.concatenate(found))
    return distances


def straightforward(found: bitfold.Partition, points: Doubles) -> dict[str, float]:
    """Return those measures that take time to compute."""
    ends = found.vertices[found.edges]
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    inner = found.neighbours.min(1) >= 0
    octets = found.patterns.view(np.uint8)
    bits = np.unpackbits(octets, axis=1, bitorder="little", count=found.num_neurons)
    maps, shares = found.affine_maps()[..., :2], found.areas / found.areas.sum()
    left, right = found.neighbours[inner].T
    jumps = np.linalg.norm(maps[left] - maps[right], axis=(1, 2))
    along = np.concatenate([[0], np.cumsum(lengths[inner])])
    places = (np.arange(NUM_FOLD_POINTS) + 0.5) * along[-1] / NUM_FOLD_POINTS
    edges = np.searchsorted(along, places) - 1
    share = (places - along[edges]) / lengths[inner][edges]
    start, stop = ends[inner][edges].transpose(1, 0, 2)
    lines = found.decision_boundary()
    boundary = np.concatenate([np.stack([line[:-1], line[1:]], 1) for line in lines])
    return {
        "dead_neurons": float((bits.max(0) == 0).mean()),
        "always_on_neurons": float((bits.min(0) == 1).mean()),
        "mean_area_on": float((shares @ bits).mean()),
        "slope_norm": float(shares @ np.linalg.norm(maps, axis=(1, 2))),
        "slope_jump": float(np.average(jumps, weights=lengths[inner])),
        "point_fold_distance": float(nearest(points, ends[inner]).mean()),
        "fold_boundary_distance": float(
            nearest(start + share[:, None] * (stop - start), boundary).mean()
        ),
    }


def measure(shape: str, rounds: int) -> dict[str, Any]:
    """Return times of both and of the partition, and the difference of their numbers."""
    generator = torch.Generator().manual_seed(0)
    network = bitfold.PolytopeNet(2, shape, 3, generator=generator).eval()
    with torch.no_grad():
        network.layers[-1].bias -= network(torch.zeros(1, 2))[0]  # it decides at the centre
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (NUM_POINTS, 2))
    partition = bitfold.partition(network)
    ours, theirs = measure_folds(partition, points).numbers(), straightforward(partition, points)
    # No result of the previous turn is cached.
    fresh = [bitfold.partition(network) for _ in range(rounds)]
    of_ours = [bitfold.partition(network, with_outputs=True) for _ in range(3 * rounds)]
    slow, fast = alternate(
        lambda: [seconds_of(lambda: straightforward(fresh.pop(), points))],
        lambda: [seconds_of(lambda: measure_folds(of_ours.pop(), points)) for _ in range(3)],
        rounds,
    )
    cuts = [seconds_of(lambda: bitfold.partition(network, with_outputs=True)) for _ in range(15)]
    return {
        "polytopes": partition.num_polytopes,
        "partition_seconds": Spread.of(cuts).record(),
        "bitfold_seconds": flattened(fast).record(),
        "straightforward_seconds": flattened(slow).record(),
        "times_as_fast": ratios(slow, fast).record(),
        "largest_difference": max(abs(ours[name] / theirs[name] - 1) for name in theirs),
    }


def table(results: dict[str, Any]) -> str:
    """Return the page's table."""
    head = "|  | polytopes | partition | measures | straightforward | times as fast (quartiles) |"
    lines = [head, "| --- | --- | --- | --- | --- | --- |"]
    for shape, row in results["cases"].items():
        names = ("partition_seconds", "bitfold_seconds", "straightforward_seconds")
        times = " | ".join(_milliseconds(row[name]["median"]) for name in names)
        ratio = row["times_as_fast"]
        quartiles = f"{ratio['low_quartile']:.3g} to {ratio['high_quartile']:.3g}"
        name = shape.replace("*", r"\*")
        lines.append(
            f"| {name} | {row['polytopes']:,} | {times} | {ratio['median']:.3g} ({quartiles}) |"
        )
    return "\n".join(lines)


def _milliseconds(seconds: float) -> str:
    milliseconds = seconds * 1e3
    return f"{milliseconds:,.0f} ms" if milliseconds >= 100 else f"{milliseconds:.3g} ms"


def main() -> int:
    """Measure, compare, and write the page's table."""
    arguments = argument_parser(__doc__.splitlines()[0]).parse_args()
    if arguments.output is None and not arguments.quick:
        arguments.output = RESULTS
    torch.set_num_threads(1)
    rows, is_short = {}, False
    for shape, limit, rounds in CASES:
        row = measure(shape, 2 if arguments.quick else rounds)
        together = row["partition_seconds"]["median"] + row["bitfold_seconds"]["median"]
        is_wrong = row["largest_difference"] > 1e-6
        is_short |= together > limit or is_wrong
        verdict = "PASS" if together <= limit and not is_wrong else "SHORT"
        print(f"{shape}: {together * 1e3:.3g} ms together, at most {limit * 1e3:g}: {verdict}")
        rows[shape] = {**row, "limit": limit}
    results = {"cases": rows}
    print(table(results))
    write_results(arguments.output, results)
    if arguments.output == RESULTS:
        replace_block(DOCS / "measures.md", "measures", table(json.loads(RESULTS.read_text())))
    return int(is_short)


if __name__ == "__main__":
    sys.exit(main())

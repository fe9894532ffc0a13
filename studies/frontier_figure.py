"""What does a network of the ring cost, and what does it show? The frontier in the docs.

``python -m studies.frontier_figure`` trains the curve of `bitfold frontier ring --seeds 0,1
--epochs 300`, and puts its figure and its front into docs/frontier.md. Trained networks are kept.
"""

from __future__ import annotations

import shutil

from benchmarks.harness.folders import CACHE, DOCS
from benchmarks.harness.pages import replace_block
from benchmarks.harness.timing import argument_parser, write_results
from bitfold import Config
from bitfold.experiments import Frontier, FrontierEvent, PointStarted, frontier

LAMBDAS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
# Measures, audit and frames take time and do not change the files.
CONFIG = Config(
    target="ring",
    learning_rate=3e-3,
    kolmogorov_quantise="learned",
    kolmogorov_weight=LAMBDAS[0],
    measure_folds=0,
    audit=False,
    save_interval="1000",
)
FIGURE = DOCS / "figures" / "frontier.png"


def table(found: Frontier) -> str:
    """Return the front in Markdown."""
    best = found.best()
    lines = ["| lambda | seed | bytes | PSNR, decoded |", "| --- | --- | --- | --- |"]
    for point in found.front():
        mark = " (best)" if point == best else ""
        lines.append(
            f"| {point.kolmogorov_weight} | {point.seed} | {point.num_bytes:,}{mark} | "
            f"{point.psnr_db:.2f} dB |"
        )
    return "\n".join(lines)


def tell(event: FrontierEvent) -> None:
    """Print the network that is being trained."""
    if isinstance(event, PointStarted):
        weight, seed = event.config.kolmogorov_weight, event.config.seed
        print(f"[{event.number}/{event.num_missing}] lambda {weight}, seed {seed}", flush=True)


def main() -> int:
    """Train the curve, and write it into the docs."""
    parser = argument_parser(__doc__.splitlines()[0])
    arguments = parser.parse_args()
    folder = CACHE / ("frontier-quick" if arguments.quick else "frontier-ring")
    seeds, epochs = ((0,), 60) if arguments.quick else ((0, 1), 300)
    config = CONFIG.replace(epochs=epochs)
    found = frontier(config, LAMBDAS, seeds, folder, listeners=[tell])
    if found.exit_code:
        return found.exit_code
    text = table(found)
    print(text)
    if not arguments.quick:
        shutil.copy(folder / "frontier.png", FIGURE)
        replace_block(DOCS / "frontier.md", "frontier", text)
    points = [vars(point) for point in found.points]
    write_results(arguments.output, {"points": points})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

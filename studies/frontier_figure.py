"""What does a network of the ring cost, and what does it show? The frontier in the docs.

``python -m studies.frontier_figure`` is `bitfold frontier ring --seeds 0,1 --epochs 300`,
whose figure and front docs/frontier.md then shows. What is trained is kept.
"""

from __future__ import annotations

import shutil

from benchmarks.harness.folders import CACHE, DOCS
from benchmarks.harness.pages import replace_block
from benchmarks.harness.timing import argument_parser, write_results
from bitfold.cli.frontier_record import FrontierRecord, read_record
from bitfold.cli.main import main as bitfold

# Nothing of it is in the files.
QUICKLY = ("--measure-folds", "0", "--no-audit", "--save-interval", "1000")
FIGURE = DOCS / "figures" / "frontier.png"


def table(record: FrontierRecord) -> str:
    """Return the front in Markdown."""
    best = record.best()
    lines = ["| lambda | seed | bytes | PSNR, decoded |", "| --- | --- | --- | --- |"]
    for point in record.front():
        mark = " (best)" if point == best else ""
        lines.append(
            f"| {point.kolmogorov_weight} | {point.seed} | {point.num_bytes:,}{mark} | "
            f"{point.psnr_db:.2f} dB |"
        )
    return "\n".join(lines)


def main() -> int:
    """Train the curve, and put it into the docs."""
    parser = argument_parser(__doc__.splitlines()[0])
    arguments = parser.parse_args()
    folder = CACHE / ("frontier-quick" if arguments.quick else "frontier-ring")
    seeds, epochs = ("0", "60") if arguments.quick else ("0,1", "300")
    curve = ["--seeds", seeds, "--epochs", epochs, *QUICKLY]
    code = bitfold(["frontier", "ring", *curve, "--output-dir", str(folder)])
    record = read_record(folder)
    if code or record is None:
        return code or 1
    text = table(record)
    print(text)
    if not arguments.quick:
        shutil.copy(folder / "frontier.png", FIGURE)
        replace_block(DOCS / "frontier.md", "frontier", text)
    points = [vars(point) for point in record.points]
    write_results(arguments.output, {"points": points})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Where benchmarks and studies find and leave their files."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RESULTS = DOCS / "results"
#: Finished jobs, so that a study goes on where it was stopped.
CACHE = ROOT / "build" / "benchmarks"
#: The handwritten digits of LeCun, Cortes and Burges, beside a checkout.
MNIST = ROOT.parent / "shared" / "data" / "mnist"

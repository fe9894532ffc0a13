"""The folders of the files of benchmarks and studies."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RESULTS = DOCS / "results"
#: Results of finished jobs, so that a stopped study continues.
CACHE = ROOT / "build" / "benchmarks"
#: The handwritten digits of LeCun, Cortes and Burges, beside a checkout.
MNIST = ROOT.parent / "shared" / "data" / "mnist"

"""How long do writing and reading a model file take, in how much memory?

``python -m benchmarks.model_files.model_file [--quick]``; exit code 1 if a ResNet-18's 11.7 million
weights take over 10 s for either or 8 times their float32 size in memory, or LeNet-300-100 over 0.2
s. The plain way, in turn with ours: gzip of the weights in float16. Memory is the peak of a process
of its own, above what it held with the module made and the loops loaded.
"""

from __future__ import annotations

import gzip
import importlib.util
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import torch
from torch import nn

import bitfold
from benchmarks.harness.folders import ROOT
from benchmarks.harness.timing import Spread, alternate, argument_parser, seconds_of
from benchmarks.training.memory import resident_megabytes

MOST_SECONDS = {"LeNet-300-100": 0.2, "ResNet-18": 10.0}
MOST_TIMES_FLOAT32 = 8.0
EXAMPLE = ROOT / "examples" / "07_resnet18_file.py"


def make(name: str) -> nn.Module:
    """Return the module of a name."""
    torch.manual_seed(0)
    if name == "LeNet-300-100":
        dense = (nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))
        return nn.Sequential(*dense)
    spec = importlib.util.spec_from_file_location("resnet18", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    module: nn.Module = example.make_resnet18()
    return module


def measure(name: str, rounds: int) -> bool:
    """Print seconds and bytes of a module; return whether they are within the limits."""
    module = make(name)
    losses = {"without a loss": None, "with a loss": bitfold.KolmogorovLoss(module)}
    fast = [measure_one(f"{name}, {how}", module, loss, rounds) for how, loss in losses.items()]
    return all(fast)


def measure_one(
    name: str, module: nn.Module, loss: bitfold.KolmogorovLoss | None, rounds: int
) -> bool:
    """Print one line, and return whether it is within its limit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.bitfold"

        def ours() -> list[float]:
            write = seconds_of(lambda: bitfold.write_model(path, module, loss))
            return [write, seconds_of(lambda: bitfold.read_model(path, into=module))]

        ours()  # loads the loops
        found, plain = alternate(ours, lambda: [seconds_of(lambda: gzipped(module))], rounds)
        size = path.stat().st_size
    write, read = (Spread.of([one[at] for one in found]) for at in (0, 1))
    deflate = Spread.of([one[0] for one in plain])
    print(f"{name}: {size:,} bytes, write {write.text(unit=' s')}, read {read.text(unit=' s')}")
    print(f"    gzip of float16: {gzipped(module):,} bytes, {deflate.text(unit=' s')}")
    return max(write.median, read.median) < MOST_SECONDS[name.split(",", maxsplit=1)[0]]


def gzipped(module: nn.Module) -> int:
    """Return the bytes of the weights in float16, compressed by gzip."""
    state = module.state_dict().values()
    return len(gzip.compress(b"".join(item.half().numpy().tobytes() for item in state), 6))


def peak() -> None:
    """Print the growth of this process's memory, as a multiple of the float32 weights."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "net.bitfold", make("LeNet-300-100")
        bitfold.write_model(path, small)
        bitfold.read_model(path, into=small)
        module = make("ResNet-18")
        before, samples, is_done = resident_megabytes(), [0.0], threading.Event()

        def sample() -> None:
            while not is_done.wait(0.005):
                samples.append(resident_megabytes())

        thread = threading.Thread(target=sample)
        thread.start()
        bitfold.write_model(path, module)
        bitfold.read_model(path, into=module)
        is_done.set()
        thread.join()
    weights = 4e-6 * sum(item.numel() for item in module.parameters())
    print((max(samples) - before) / weights)


def main() -> int:
    """Measure, print, and compare with the limits."""
    parser = argument_parser(__doc__ or "")
    parser.add_argument("--peak", action="store_true", help="memory of this process alone")
    given = parser.parse_args()
    if given.peak:
        peak()
        return 0
    torch.set_num_threads(2)
    is_good = [measure(name, 1 if given.quick else 5) for name in MOST_SECONDS]
    command = [sys.executable, "-m", "benchmarks.model_files.model_file", "--peak"]
    times = float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    print(f"memory: {times:.1f} times the float32 weights")
    return 0 if all(is_good) and times < MOST_TIMES_FLOAT32 else 1


if __name__ == "__main__":
    sys.exit(main())

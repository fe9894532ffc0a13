"""How wrong is a trained LeNet-300-100 whose files are rounded with regard to its inputs?

``python -m benchmarks.model_files.calibrated DATA WEIGHTS``: a folder with MNIST's four files, and
the network's weights as a ``.safetensors`` file. Prints bytes on disk and the error of what they
decode to, on MNIST's test pictures. It has no limit, and measures no other program.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import nn

import bitfold
from benchmarks.harness.mnist import load_test, load_training

SIZES: Final = (30_000, 20_000, 12_000)
NUM_CALIBRATION: Final = 5_000


def lenet() -> nn.Sequential:
    """Return LeNet-300-100 with weights to be replaced."""
    return nn.Sequential(
        nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def main() -> None:
    """Write and read a file of each size, and print its error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with MNIST's files")
    parser.add_argument("weights", type=Path, help="safetensors file of the network")
    arguments = parser.parse_args()
    network = lenet()
    network.load_state_dict(load_file(arguments.weights))
    pictures = load_training(arguments.data)[0].pictures[:NUM_CALIBRATION]
    calibration = list(torch.split(pictures, 1000))
    test = load_test(arguments.data)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder) / "network.bitfold"
        for size in SIZES:
            start = time.process_time()
            bitfold.write_model(path, network, calibration=calibration, num_bytes=size)
            seconds = time.process_time() - start
            decoded = bitfold.read_model(path, into=lenet())
            wrong = (decoded(test.pictures).argmax(1) != test.labels).float().mean()
            print(
                f"{path.stat().st_size:,} bytes, {100 * float(wrong):.2f} % wrong, written in "
                f"{seconds:.2f} s of processor time"
            )


if __name__ == "__main__":
    main()

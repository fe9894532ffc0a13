"""A ResNet-18 as a file
=====================

A ResNet-18 of 11.7 million weights goes through a model file and back::

    python examples/07_resnet18_file.py
    python examples/07_resnet18_file.py --bytes 4000000    # the most exact file of that size
"""

# sphinx_gallery_thumbnail_path = "figures/examples/07_resnet18_file.svg"

import argparse
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

import bitfold


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, num_in: int, num_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_in, num_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(num_out)
        self.conv2 = nn.Conv2d(num_out, num_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(num_out)
        self.around = nn.Sequential()
        if stride > 1:
            conv = nn.Conv2d(num_in, num_out, 1, stride, bias=False)
            self.around = nn.Sequential(conv, nn.BatchNorm2d(num_out))

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (n, num_in, h, w) to (n, num_out, h / stride, w / stride)."""
        inner = functional.relu(self.bn1(self.conv1(pictures)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.around(pictures))


def make_resnet18() -> nn.Sequential:
    """He et al. 2016, table 1, its second column."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    ]
    num_in = 64
    for num_out, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(num_in, num_out, stride), Block(num_out, num_out, 1)]
        num_in = num_out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def main() -> None:
    """Write, read into another module of the same structure, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, help="size of the file")
    given = parser.parse_args()
    torch.manual_seed(0)
    network, other = make_resnet18(), make_resnet18().eval()
    pictures = torch.randn(4, 3, 64, 64)
    network(pictures)  # batch norm has statistics now
    network.eval()
    num_weights = sum(item.numel() for item in network.parameters())
    print(f"float32: {4 * num_weights:,} bytes, {num_weights:,} weights")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet18.bitfold"
        began = time.perf_counter()
        size = bitfold.write_model(path, network, num_bytes=given.bytes)
        wrote = time.perf_counter()
        bitfold.read_model(path, into=other)
        read = time.perf_counter()
    print(f"file: {size:,} bytes, {8 * size / num_weights:.2f} bits a weight")
    print(f"written in {wrote - began:.1f} s, read in {read - wrote:.1f} s")
    with torch.no_grad():
        expected, found = network(pictures), other(pictures)
    error = float((found - expected).norm() / expected.norm())
    print(f"its outputs differ by {100 * error:.1f} %")


if __name__ == "__main__":
    main()

"""Polytopes between three digits
==============================

Every polytope of a convolutional network on the plane through three digits, drawn exactly::

    python examples/06_cut_through_digits.py                  # digits drawn by code, seconds
    python examples/06_cut_through_digits.py --mnist FOLDER   # MNIST, a minute
"""

# sphinx_gallery_thumbnail_path = "figures/cut-through-digits.png"

import argparse
from pathlib import Path

import numpy as np
import torch
from digits import load_digits
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import Patch
from torch import Tensor, nn
from torch.nn import functional

import bitfold

EPOCHS = 6
DOMAIN = ((-0.35, -0.35), (1.35, 1.35))


class Network(nn.Module):
    """Batch norm, a residual block and max-pooling, narrow enough for its folds to be seen."""

    def __init__(self, width: int) -> None:
        super().__init__()
        stem, inner = nn.Conv2d(1, width, 7, 4, 2), nn.Conv2d(width, width, 3, padding=1)
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(width), nn.ReLU())
        self.block = nn.Sequential(inner, nn.BatchNorm2d(width), nn.ReLU())
        self.pool, self.head = nn.MaxPool2d(2, padding=1), nn.Linear(16 * width, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 1, 28, 28) to (N, 10)."""
        x = self.stem(pictures)
        return self.head(self.pool(x + self.block(x)).flatten(1))


def draw(found: bitfold.Partition, network: nn.Module, three: Tensor, path: Path) -> None:
    """Classes in colour, folds by layer, the decision boundary, and the three digits."""
    figure = Figure(figsize=(8, 9), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    (left, low), (right, high) = DOMAIN
    axis = np.linspace(left, right, 601)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    classes = found.evaluate(points).argmax(1).reshape(601, 601)
    palette, extent = colormaps["Set3"], (left, right, low, high)  # 12 pale colours
    axes.imshow(palette(classes), alpha=0.7, extent=extent, origin="lower")
    found.plot(axes, faces="none", line_width=0.45)
    places, aside = ((0, 0), (1, 0), (0, 1)), ((-38, -38), (38, -38), (-38, 38))
    for place, offset, picture in zip(places, aside, three, strict=True):
        image = OffsetImage(picture.squeeze(), zoom=1.7, cmap="gray_r")
        look = {"pad": 0.15, "arrowprops": {"arrowstyle": "-"}}
        axes.add_artist(AnnotationBbox(image, place, offset, boxcoords="offset points", **look))
        axes.plot(*place, "o", color="black", markeredgecolor="white", markersize=8)
    told = [Patch(color=palette(k), alpha=0.7, label=f"told as {k}") for k in np.unique(classes)]
    folds = axes.get_legend_handles_labels()[0][::-1]
    figure.legend(handles=[*told, *folds], loc="outside lower center", ncols=3, frameon=False)
    axes.set_title(f"{found.num_polytopes:,} polytopes on the plane through three test digits")
    figure.savefig(path)


def main() -> None:
    """Train, cut, check and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--mnist", type=Path, help="folder of MNIST's four .gz files")
    parser.add_argument("--width", type=int, default=2, help="channels")
    parser.add_argument("--output", type=Path, default=Path("cut.png"))
    options = parser.parse_args()
    torch.manual_seed(0)
    digits, network = load_digits(options.mnist), Network(options.width)
    num_steps = EPOCHS * -(-len(digits.labels) // 64)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    for _ in range(EPOCHS):
        for some in torch.randperm(len(digits.labels)).split(64):
            loss = functional.cross_entropy(network(digits.pictures[some]), digits.labels[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        is_right = network(digits.test_pictures).argmax(1) == digits.test_labels
    print(f"after training: {is_right.double().mean():.2%} right")
    right, labels = digits.test_pictures[is_right], digits.test_labels[is_right]
    three = torch.stack([right[labels == k][0] for k in (2, 3, 8)])
    found = bitfold.partition(network, DOMAIN, bitfold.Plane.through(*three))
    found.check()
    print(f"{found.num_polytopes:,} polytopes, V - E + F = 1, and maps that are the network's")
    draw(found, network, three, options.output)


if __name__ == "__main__":
    main()

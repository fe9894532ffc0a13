"""Four networks that were trained plainly on digits, before anyone thought of their size."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.mnist import Digits
from benchmarks.model_files.small_models import lenet_5_caffe, lenet_300_100

SIDE: Final = 28
EPOCHS, BATCH, RATE = 8, 128, 1e-3
MANY: Final = 1000


class ResidualConvnet(nn.Module):
    """The network of ``examples/06_cut_through_digits.py``, of 16 channels; 5,754 weights."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        stem, inner = nn.Conv2d(1, width, 7, 4, 2), nn.Conv2d(width, width, 3, padding=1)
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(width), nn.ReLU())
        self.block = nn.Sequential(inner, nn.BatchNorm2d(width), nn.ReLU())
        self.pool, self.head = nn.MaxPool2d(2, padding=1), nn.Linear(16 * width, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 784) to (N, 10)."""
        x = self.stem(pictures.view(-1, 1, SIDE, SIDE))
        logits: Tensor = self.head(self.pool(x + self.block(x)).flatten(1))
        return logits


class Transformer(nn.Module):
    """The layers of ``examples/02_transformer.py``, on rows of a picture; 104,330 weights."""

    def __init__(self, width: int = 64, num_layers: int = 2) -> None:
        super().__init__()
        self.rows = nn.Linear(SIDE, width)
        self.places = nn.Parameter(torch.zeros(SIDE, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 784) to (N, 10)."""
        values = self.layers(self.rows(pictures.view(-1, SIDE, SIDE)) + self.places)
        logits: Tensor = self.head(self.norm(values).mean(1))
        return logits


NETWORKS: Final[dict[str, Callable[[], nn.Module]]] = {
    "LeNet-300-100": lenet_300_100,
    "LeNet-5-Caffe": lenet_5_caffe,
    "residual convnet": ResidualConvnet,
    "transformer": Transformer,
}


def trained(name: str, digits: Digits, cache: Path) -> nn.Module:
    """Return a trained network; it is trained now if its weights are not in the folder.

    Args:
        name: one of `NETWORKS`.
        digits: to learn.
        cache: folder of weights.
    """
    path = cache / f"{name.replace(' ', '-').lower()}.safetensors"
    torch.manual_seed(0)
    network = NETWORKS[name]()
    if path.exists():
        network.load_state_dict(load_file(path))
        return network.eval()
    _train(network, digits)
    cache.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), path)
    return network.eval()


def percent_wrong(network: nn.Module, digits: Digits, most: float = 100.0) -> float:
    """Return the error of a network in evaluation mode; infinity once it is above ``most``."""
    wrong, most_wrong = 0, most * len(digits.labels) / 100 + 0.5
    with torch.no_grad():
        parts = (torch.split(digits.pictures, MANY), torch.split(digits.labels, MANY))
        for pictures, labels in zip(*parts, strict=True):
            wrong += int((network.eval()(pictures).argmax(1) != labels).sum())
            if wrong > most_wrong:
                return math.inf
    return 100 * wrong / len(digits.labels)


def widest(network: nn.Module) -> int:
    """Return the most inputs of a linear layer, or of a place of a convolution."""
    return max(item[0].numel() for item in network.parameters() if item.ndim > 1)


def _train(network: nn.Module, digits: Digits) -> None:
    """Adam with a falling rate, no regularisation."""
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    num_steps = EPOCHS * -(-len(digits.labels) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    for _ in range(EPOCHS):
        for some in torch.split(torch.randperm(len(digits.labels)), BATCH):
            loss = functional.cross_entropy(network(digits.pictures[some]), digits.labels[some])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
            optimizer.step()
            schedule.step()

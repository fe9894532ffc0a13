"""COIN: a small network of sines for each picture, its weights stored as float16."""

from __future__ import annotations

import math
import time
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.pictures.networks import Sine
from bitfold.experiments.pictures.similarity import psnr_db
from bitfold.targets import Grid

_OMEGA: Final = 30.0
_DEPTHS, _RATES, _BATCH = (3, 5), (1e-3, 3e-3), 4096
_BYTES_EACH = 2


def coin(
    pixels: NDArray[np.uint8], num_bytes: int, seconds: float
) -> tuple[int, NDArray[np.uint8]]:
    """Train COIN's network at several depths and rates, and decode the best one.

    Source: Dupont et al. 2021, "COIN: compression with implicit neural representations", section
    3: hidden layers of one width, sines with omega = 30, Adam, weights rounded to half precision.
    The paper trains for 50,000 steps of all pixels; here each training gets a share of the
    processor time, in batches, with a cosine schedule, which is faster.

    Args:
        pixels: uint8 (side, side, 3).
        num_bytes: the most bytes of all weights.
        seconds: processor time of all trainings together.

    Returns:
        The bytes of the weights alone, without any header, and the decoded picture.
    """
    trials = [(depth, rate) for depth in _DEPTHS for rate in _RATES]
    best: tuple[float, int, NDArray[np.uint8]] | None = None
    for depth, rate in trials:
        network = _fitting(depth, num_bytes // _BYTES_EACH)
        decoded = _learned(network, pixels, rate, seconds / len(trials))
        quality = psnr_db(pixels, decoded)
        if best is None or quality > best[0]:
            size = _BYTES_EACH * sum(item.numel() for item in network.parameters())
            best = quality, size, decoded
    assert best is not None
    return best[1:]


def _fitting(depth: int, num_weights: int) -> nn.Sequential:
    width = 2
    while _count(depth, width + 1) <= num_weights:
        width += 1
    layers: list[nn.Module] = []
    for number, (fan_in, fan_out) in enumerate(pairwise([2, *[width] * depth])):
        layer = nn.Linear(fan_in, fan_out)
        bound = 1 / fan_in if number == 0 else math.sqrt(6 / fan_in) / _OMEGA
        nn.init.uniform_(layer.weight, -bound, bound)
        # In points of [-0.5, 0.5], half as large as the source's.
        layers += [layer, Sine(2 * _OMEGA if number == 0 else _OMEGA)]
    return nn.Sequential(*layers, nn.Linear(width, 3))


def _count(depth: int, width: int) -> int:
    return 3 * width + (depth - 1) * width * (width + 1) + 3 * (width + 1)


def _learned(
    network: nn.Sequential, pixels: NDArray[np.uint8], rate: float, seconds: float
) -> NDArray[np.uint8]:
    """Train for some processor time; return the picture that the rounded weights draw."""
    height, width, _ = pixels.shape
    points = torch.from_numpy(Grid(width, height).coordinates(np.arange(height * width)))
    values = torch.from_numpy(pixels.reshape(-1, 3).astype(np.float32) / 255)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    start, order = time.process_time(), torch.empty(0, dtype=torch.int64)
    while (share := (time.process_time() - start) / seconds) < 1:
        if len(order) < _BATCH:
            order = torch.randperm(len(points))
        batch, order = order[:_BATCH], order[_BATCH:]
        for group in optimizer.param_groups:
            group["lr"] = rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        loss = (network(points[batch]) - values[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        network.half().float()
        shown = network(points).clamp(0, 1).mul(255).round().to(torch.uint8).numpy()
    found: NDArray[np.uint8] = shown.reshape(height, width, 3)
    return found

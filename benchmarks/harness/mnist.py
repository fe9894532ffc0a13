"""MNIST from its four files, as benchmarks need it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

NUM_VALIDATION = 10_000


class Digits(NamedTuple):
    """Pictures (N, 784) in 0 to 1, and their digits (N,)."""

    pictures: Tensor
    labels: Tensor


def load_training(folder: Path) -> tuple[Digits, Digits]:
    """Return the training set without its last 10,000, and those for validation."""
    whole = _load(folder, "train")
    cut = len(whole.labels) - NUM_VALIDATION
    return (
        Digits(whole.pictures[:cut], whole.labels[:cut]),
        Digits(whole.pictures[cut:], whole.labels[cut:]),
    )


def load_test(folder: Path) -> Digits:
    """Return the 10,000 test pictures, which no choice may look at."""
    return _load(folder, "t10k")


def _load(folder: Path, part: str) -> Digits:
    pictures = _numbers(folder / f"{part}-images-idx3-ubyte.gz", header=16)
    labels = _numbers(folder / f"{part}-labels-idx1-ubyte.gz", header=8)
    flat = pictures.reshape(len(labels), -1).astype(np.float32) / 255
    return Digits(torch.from_numpy(flat), torch.from_numpy(labels.astype(np.int64)))


def _numbers(path: Path, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)

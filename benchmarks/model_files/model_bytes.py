"""A network decoded from its file, and the file's bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

import bitfold
from bitfold.kolmogorov import KolmogorovLoss


def through_file(
    make: Callable[[], nn.Module],
    network: nn.Module,
    kolmogorov: KolmogorovLoss | None = None,
    **options: Any,
) -> tuple[int, nn.Module]:
    """Write a network, read it into a new one, and return the file's bytes and the new network.

    Args:
        make: makes a network of the same architecture with other numbers.
        network: the trained one.
        kolmogorov: the loss that describes it, if any.
        options: further arguments of `bitfold.write_model`.
    """
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        path = Path(folder) / "network.bitfold"
        bitfold.write_model(path, network, kolmogorov, **options)
        return path.stat().st_size, bitfold.read_model(path, into=make())

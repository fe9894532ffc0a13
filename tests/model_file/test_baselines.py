"""Baselines of model files: common compressors on the same weights."""

from __future__ import annotations

import bz2
import gzip
import importlib
import itertools
import math
import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from bitfold.model_file import Baseline, baselines


@pytest.fixture
def state() -> dict[str, Tensor]:
    """Return two tensors of different spread."""
    generator = torch.Generator().manual_seed(0)
    return {
        "weight": torch.randn(30, 20, generator=generator),
        "bias": 0.1 * torch.randn(30, generator=generator) + 3,
    }


@pytest.fixture
def rows(state: dict[str, Tensor]) -> dict[str, Baseline]:
    """Return all baselines by name; the file's weights are rounded to quarters."""
    decoded = {name: (4 * item).round() / 4 for name, item in state.items()}
    return {row.name: row for row in baselines(state, decoded)}


def test_plain_and_packed_halves(state: dict[str, Tensor], rows: dict[str, Baseline]) -> None:
    """Sizes are those of real streams, which unpack to the tensors' float16 values in order."""
    assert rows["float32"].num_bytes == 4 * 630
    assert rows["float16"].num_bytes == 2 * 630
    data = b"".join(item.numpy().astype("<f2").tobytes() for item in state.values())
    assert rows["gzip of float16"].num_bytes == len(gzip.compress(data, 9, mtime=0))
    assert rows["bzip2 of float16"].num_bytes == len(bz2.compress(data, 9))
    for name in ("float16", "gzip of float16", "zstd of float16", "bzip2 of float16"):
        for key, item in rows[name].state.items():
            assert torch.equal(item, state[key].half().float())
    assert all(torch.equal(item, state[key]) for key, item in rows["float32"].state.items())


@pytest.mark.parametrize("num_bits", [8, 4, 3])
def test_uniform_grids(num_bits: int, state: dict[str, Tensor], rows: dict[str, Baseline]) -> None:
    """Both ends are kept, no number moves by more than half a step, and everything is counted."""
    row = rows[f"uniform {num_bits} bits"]
    assert row.num_bytes == math.ceil(630 * num_bits / 8) + 2 * 8
    for name, item in state.items():
        found, step = row.state[name], (item.max() - item.min()) / (2**num_bits - 1)
        assert len(found.unique()) <= 2**num_bits  # type: ignore[no-untyped-call] # torch leaves it untyped
        assert (found - item).abs().max() <= 0.5001 * step
        ends = torch.stack([found.min() - item.min(), found.max() - item.max()])
        assert ends.abs().max() <= 1e-5
        # A grid of half as many values would be too coarse.
        assert (found - item).abs().max() > 0.4 * step


def test_entropy_is_that_of_the_quantised_weights(rows: dict[str, Baseline]) -> None:
    """The entropy is summed over tensors, from the shares of their values."""
    bits = 0.0
    for item in rows["order-0 entropy"].state.values():
        values = sorted(item.flatten().tolist())
        for _, same in itertools.groupby(values):
            count = len(list(same))
            bits -= count * math.log2(count / len(values))
    assert rows["order-0 entropy"].num_bytes == math.ceil(bits / 8)


def test_numbers_that_are_all_the_same(state: dict[str, Tensor]) -> None:
    """Constant and empty tensors have no step and no entropy, and are read back unchanged."""
    same = {"weight": torch.full((8,), 0.5), "none": torch.zeros(0)}
    rows = {row.name: row for row in baselines(same, same)}
    for name, row in rows.items():
        assert torch.equal(row.state["weight"], same["weight"]), name
        assert row.state["none"].shape == (0,)
    assert rows["order-0 entropy"].num_bytes == 0


def test_zstd_is_python_s_own_or_the_same_for_older_ones(state: dict[str, Tensor]) -> None:
    """The size is that of zstd at level 19, from Python or from the package for older Pythons."""
    new = sys.version_info >= (3, 14)
    zstd = importlib.import_module("compression.zstd" if new else "backports.zstd")
    row = next(row for row in baselines(state, state) if "zstd" in row.name)
    data = np.concatenate([item.flatten().numpy() for item in state.values()]).astype("<f2")
    assert row.num_bytes == len(zstd.compress(data.tobytes(), 19))
    assert row.note == "level 19"

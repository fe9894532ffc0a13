"""Results can be pickled and copied, for other processes and for notebooks.

bitfold itself never unpickles anything: files are in open formats.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import bitfold
from bitfold.kolmogorov import Description
from bitfold.training import Config, Run
from bitfold.training.store.metric_columns import MetricColumns

COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),  # noqa: S301 - of our own bytes
    "deepcopy": copy.deepcopy,
}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Return a network of linear, convolution, pooling and normalisation layers."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(2, 16), nn.ReLU(), nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 2, 3, padding=1),
        nn.BatchNorm2d(2), nn.LeakyReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2),
    ).eval()  # fmt: skip


@pytest.mark.parametrize("way", COPIES)
def test_a_copied_partition_answers_as_the_original(network: nn.Module, way: str) -> None:
    """A copied partition has equal geometry, patterns, maps and outputs, even outside."""
    found = bitfold.partition(network, ((-1, -1), (1, 1)))
    again = COPIES[way](found)
    again.check()
    points = np.array([[0.1, -0.2], [3.0, 4.0]])
    for name in ("vertices", "edges", "face_vertices", "owners", "patterns", "vertex_outputs"):
        assert np.array_equal(getattr(again, name), getattr(found, name)), name
    assert np.array_equal(again.affine_maps(), found.affine_maps())
    assert np.array_equal(again.evaluate(points), found.evaluate(points))
    assert [str(layer) for layer in again.layers] == [str(layer) for layer in found.layers]


@pytest.mark.parametrize("way", COPIES)
def test_other_results_are_copied(network: nn.Module, way: str, tmp_path: Path) -> None:
    """A run, its metrics, a configuration, bits, a loss and an audit can be copied."""
    kolmogorov = bitfold.KolmogorovLoss(network, predictor="per_tensor")
    again = COPIES[way](kolmogorov)
    assert again().item() == kolmogorov().item()
    assert COPIES[way](kolmogorov.bits()).items == kolmogorov.bits().items
    audit = bitfold.audit_gradients({"K": kolmogorov}, {"network": network})
    assert COPIES[way](audit) == audit
    columns = MetricColumns(epoch=[1])
    assert COPIES[way](columns) == columns
    assert type(COPIES[way](columns)) is MetricColumns
    run = Run(tmp_path, Config(epochs=3))
    assert COPIES[way](run) == run
    assert isinstance(COPIES[way](kolmogorov.bits()), Description)

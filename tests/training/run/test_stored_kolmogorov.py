"""The Kolmogorov loss of a run in its trained state."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import bitfold
from bitfold.errors import CheckpointError, RunError
from bitfold.training.store.checkpoints import checkpoint_path, read_checkpoint, write_checkpoint
from tests.training.training_runs import WITH_K, Heard, tiny

BY_SCALES: dict[str, Any] = {"kolmogorov_range": "auto", "kolmogorov_targets": "linear"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bitfold.Run]:
    """Train a run with each predictor, and a run that changed how often steps include K."""
    folder, found = tmp_path_factory.mktemp("runs"), {}
    kinds: dict[str, dict[str, Any]] = {
        "coordinate": {},
        "row_column": BY_SCALES,
        "per_tensor": {**BY_SCALES, "kolmogorov_every": 2, "kolmogorov_targets": "noise"},
        "adaptive": BY_SCALES,
    }
    for name, settings in kinds.items():
        config = tiny(folder / name, **WITH_K, **settings, kolmogorov_predictor=name, epochs=12)
        found[name] = bitfold.train(config)
    return found


@pytest.mark.parametrize("name", ["coordinate", "row_column", "per_tensor", "adaptive"])
def test_it_counts_the_bits_that_the_run_counted(name: str, runs: dict[str, bitfold.Run]) -> None:
    """At each checkpoint the loss counts the bits that the metrics have."""
    run = runs[name]
    for epoch in (10, 12, None):
        kolmogorov = run.kolmogorov(epoch)
        expected = run.metrics["description_bits"][(epoch or 12) - 1]
        assert kolmogorov.bits().total == pytest.approx(expected, rel=1e-6)
        network = kolmogorov.table.module.state_dict()
        assert all(torch.equal(network[n], t) for n, t in run.network(epoch).state_dict().items())
        assert not kolmogorov.training


def test_it_is_what_the_end_of_the_training_handed_over(tmp_path: Path) -> None:
    """The loaded loss equals the trained one, number for number."""
    heard = Heard()
    run = bitfold.train(tiny(tmp_path, **WITH_K, epochs=3), [heard])
    expected = heard.ended.kolmogorov
    assert expected is not None
    found = run.kolmogorov().state_dict()
    assert found.keys() == expected.state_dict().keys()
    for name, item in expected.state_dict().items():
        same = torch.equal(found[name], item) if isinstance(item, torch.Tensor) else None
        assert same in (True, None), name


def test_an_epoch_before_k_began_has_none(tmp_path: Path) -> None:
    """An epoch before K began has no loss, as its checkpoint uses its own settings."""
    run = bitfold.train(tiny(tmp_path, epochs=10))
    with pytest.raises(RunError, match="with `kolmogorov_weight`, got one without"):
        run.kolmogorov()
    run = bitfold.resume(tmp_path, epochs=20, **WITH_K)
    assert run.kolmogorov(20).num_weights == sum(p.numel() for p in run.network().parameters())
    with pytest.raises(RunError, match="at epoch 10"):
        run.kolmogorov(10)


def test_what_is_not_there_is_refused(runs: dict[str, bitfold.Run], tmp_path: Path) -> None:
    """An epoch without a checkpoint, and a checkpoint without a predictor, are refused."""
    run = runs["row_column"]
    with pytest.raises(RunError, match=r"Cannot load K of .* at epoch 1: not kept\. The nearest"):
        run.kolmogorov(1)
    sent = bitfold.load_run(shutil.copytree(run.path, tmp_path / "sent"))
    found = read_checkpoint(checkpoint_path(sent.checkpoints, 12))
    others = {n: t for n, t in found.tensors.items() if not n.startswith("predictor.")}
    write_checkpoint(sent.checkpoints, type(found)(12, others, found.facts))
    with pytest.raises(CheckpointError, match=r"K.s state .* expected .* of shape") as caught:
        sent.kolmogorov(12)
    assert "\n" not in str(caught.value)

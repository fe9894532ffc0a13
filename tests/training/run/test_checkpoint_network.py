"""The network of a checkpoint file outside its run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bitfold.errors import CheckpointError
from bitfold.training import Config, load_run, read_network, train
from bitfold.training.store.checkpoints import Checkpoint, read_checkpoint, write_checkpoint


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the newest checkpoint of a run."""
    folder = tmp_path_factory.mktemp("run")
    config = Config(
        target="ring", size=16, shape="[5,4]", epochs=2, batch_size=64, output_dir=str(folder)
    )
    return sorted(train(config).checkpoints.iterdir())[-1]


def test_the_network_comes_back_without_its_run(path: Path, tmp_path: Path) -> None:
    """A checkpoint without its run gives the network bit for bit, ready for evaluation."""
    alone = Path(shutil.copy(path, tmp_path / "alone.safetensors"))
    network, config = read_network(alone)
    expected = load_run(path.parent.parent).network()
    assert not network.training
    assert config.shape == "[5,4]"
    for name, tensor in expected.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor)


def with_config(text: Any) -> Callable[[Checkpoint], dict[str, Any]]:
    """Return a change of the configuration in a checkpoint."""
    return lambda checkpoint: {"facts": {**checkpoint.facts, "config": text}}


def without(prefix: str) -> Callable[[Checkpoint], dict[str, Any]]:
    """Return a change that omits tensors."""
    return lambda checkpoint: {
        "tensors": {n: t for n, t in checkpoint.tensors.items() if not n.startswith(prefix)}
    }


@pytest.mark.parametrize(
    "change",
    [
        with_config(None),
        with_config("shape ="),
        with_config('shape = "[9]*2"'),
        with_config('shape = "[999999999]"'),
        with_config('activation = "selu"'),
        without("network."),
        without("network.layers.0.bias"),
        lambda _: {"facts": {"validation_loss": None}},
    ],
)
def test_what_is_no_network_is_refused(
    change: Callable[[Checkpoint], dict[str, Any]], path: Path, tmp_path: Path
) -> None:
    """A file without a network is refused in one line that names the file."""
    held = read_checkpoint(path)
    parts = {"epoch": held.epoch, "tensors": held.tensors, "facts": held.facts, **change(held)}
    bad = write_checkpoint(tmp_path, Checkpoint(**parts))
    with pytest.raises(CheckpointError) as caught:
        read_network(bad)
    assert str(bad) in str(caught.value)
    assert "\n" not in str(caught.value)

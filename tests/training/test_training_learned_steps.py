"""Runs whose task computes with the weights that a decoder gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from training_runs import WITH_K, Heard, frames_of, tiny

import bitfold
from bitfold.codec import read_model, write_model
from bitfold.errors import ConfigError
from bitfold.training import Config, read_network
from bitfold.training.checkpoints import checkpoint_path
from bitfold.training.learned_steps import last_soft_epoch

LEARNED: dict[str, Any] = {
    **WITH_K, "kolmogorov_quantise": "learned", "kolmogorov_weight": 0.01, "epochs": 40,
}  # fmt: skip


def trained(folder: Path, **settings: Any) -> tuple[bitfold.Run, Heard]:
    """A small run, and what it said."""
    heard = Heard()
    return bitfold.train(tiny(folder, **{**LEARNED, **settings}), [heard]), heard


def test_what_is_shown_measured_and_decoded_is_one_network(tmp_path: Path) -> None:
    """Frames, the run's network, its last metrics and its file are all the quantised network's."""
    run, heard = trained(tmp_path / "run")
    ended = heard.ended
    assert ended.kolmogorov is not None
    size = write_model(tmp_path / "net.bitfold", ended.network, ended.kolmogorov)
    decoded = read_model(tmp_path / "net.bitfold").state_dict()
    epoch, _, weights = frames_of(tmp_path / "run")[-1]
    assert epoch == 40
    of_checkpoint, _ = read_network(checkpoint_path(run.checkpoints, 40))
    for name, tensor in run.network().state_dict().items():
        assert torch.equal(tensor, decoded[name])
        assert weights[name] == tensor.numpy().tobytes()
        assert torch.equal(of_checkpoint.state_dict()[name], tensor)
        assert not torch.equal(ended.network.state_dict()[name], tensor)
    points = torch.from_numpy(run.target.grid.coordinates(run.split.validation))
    wanted = torch.from_numpy(run.target.values(run.split.validation))
    with torch.no_grad():
        loss = float((run.network()(points) - wanted).square().mean())
    assert run.metrics["validation_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert run.metrics["description_bits"][-1] == pytest.approx(ended.kolmogorov.bits().total)
    assert size * 8 < 32 * ended.kolmogorov.num_weights / 4


def test_steps_and_predictor_are_frozen_in_the_last_tenth(tmp_path: Path) -> None:
    """They move up to epoch 36 of 40; what moves afterwards are the weights."""
    frozen = []

    def look(event: bitfold.training.Event) -> None:
        if isinstance(event, bitfold.training.RunStarted):
            self.append(event)

    self: list[Any] = []
    run, heard = trained(tmp_path / "run", checkpoint_interval=1)
    del look, frozen
    kept = {}
    for path in sorted(run.checkpoints.iterdir()):
        found = bitfold.training.checkpoints.read_checkpoint(path)
        kept[found.epoch] = found.tensors
    assert list(kept)[-3:] == [38, 39, 40]
    learned = "predictor.weight_range.log_steps"
    assert torch.equal(kept[38][learned], kept[39][learned])
    assert torch.equal(kept[38]["predictor.predictor.log_scale"], kept[39]["predictor.predictor.log_scale"])
    assert not torch.equal(kept[38]["network.layers.0.weight"], kept[39]["network.layers.0.weight"])
    assert heard.ended.kolmogorov is not None

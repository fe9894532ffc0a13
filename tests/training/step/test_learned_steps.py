"""Runs whose task computes with decoded weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import bitfold
from bitfold.errors import ConfigError
from bitfold.model_file import read_model, write_model
from bitfold.training import Config, EpochEnded, RunStarted, read_network
from bitfold.training.step.learned_steps import last_soft_epoch
from bitfold.training.store.checkpoints import checkpoint_path, read_checkpoint
from tests.training.training_runs import WITH_K, Heard, frames_of, tiny

LEARNED: dict[str, Any] = {
    **WITH_K, "kolmogorov_quantise": "learned", "kolmogorov_weight": 0.01, "epochs": 40,
}  # fmt: skip


def trained(folder: Path, **settings: Any) -> tuple[bitfold.Run, Heard]:
    """Train a small run; return it with its notices."""
    heard = Heard()
    return bitfold.train(tiny(folder, **{**LEARNED, **settings}), [heard]), heard


def test_what_is_shown_measured_and_decoded_is_one_network(tmp_path: Path) -> None:
    """Frames, the run's network, its last metrics and its file all show the decoded network."""
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
        assert torch.equal(ended.network.state_dict()[name], tensor)
    points = torch.from_numpy(run.target.grid.coordinates(run.split.validation))
    wanted = torch.from_numpy(run.target.values(run.split.validation))
    with torch.no_grad():
        loss = float((run.network()(points) - wanted).square().mean())
    assert run.metrics["validation_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert run.metrics["description_bits"][-1] == pytest.approx(ended.kolmogorov.bits().total)
    assert size < 4 * ended.kolmogorov.num_weights / 3


def test_steps_and_predictor_are_frozen_in_the_last_tenth(tmp_path: Path) -> None:
    """Steps and predictor move up to epoch 36 of 40; then only the weights move."""
    steps, scales = "predictor.weight_range.log_steps", "predictor.predictor.log_scale"
    run, heard = trained(tmp_path / "run", checkpoint_interval=1)
    last = {epoch: read_checkpoint(checkpoint_path(run.checkpoints, epoch)) for epoch in (38, 39)}
    before, after = (last[epoch].tensors for epoch in (38, 39))
    assert torch.equal(before[steps], after[steps])
    assert torch.equal(before[scales], after[scales])
    assert not torch.equal(before["network.layers.0.weight"], after["network.layers.0.weight"])
    assert heard.ended.kolmogorov is not None
    assert not any(item.requires_grad for item in heard.ended.kolmogorov.parameters())
    soft, _ = trained(tmp_path / "soft", checkpoint_interval=1, epochs=46)
    moved = [read_checkpoint(path).tensors[steps] for path in sorted(soft.checkpoints.iterdir())]
    assert torch.equal(moved[-1], moved[-2])


def test_a_run_keeps_what_suits_learned_steps(tmp_path: Path) -> None:
    """The run's configuration has the settings that learned steps chose."""
    run, _ = trained(tmp_path / "run", epochs=2)
    config = run.config
    assert (config.kolmogorov_predictor, config.kolmogorov_range) == ("row_column", "auto")
    assert (config.kolmogorov_targets, config.lr_schedule) == ("rounded", "cosine")
    plain = bitfold.train(tiny(tmp_path / "plain", **WITH_K, epochs=2)).config
    assert (plain.kolmogorov_predictor, plain.kolmogorov_range) == ("coordinate", "fixed")
    assert (plain.kolmogorov_targets, plain.lr_schedule) == ("soft", "constant")


def test_a_run_without_k_can_go_on_with_learned_steps(tmp_path: Path) -> None:
    """A run without K can continue with learned steps, and then trains the decoded network."""
    bitfold.train(tiny(tmp_path / "run", epochs=5))
    run = bitfold.resume(
        tmp_path / "run", epochs=20, kolmogorov_quantise="learned", kolmogorov_weight=0.01
    )
    assert run.metrics["description_bits"][4] is None
    assert run.metrics["description_bits"][19] is not None
    assert run.config.kolmogorov_range == "auto"


def test_one_epoch_is_enough_to_finish(tmp_path: Path) -> None:
    """A run of one epoch is hard from the start, and still ends with a description."""
    run, heard = trained(tmp_path / "run", epochs=1)
    assert heard.ended.reason == "completed"
    assert heard.ended.kolmogorov is not None
    bits = heard.ended.kolmogorov.bits().total
    assert run.metrics["description_bits"][0] == pytest.approx(bits)


@pytest.mark.parametrize("predictor", ["row_column", "per_tensor", "coordinate", "adaptive"])
def test_a_finished_runs_k_can_be_had_again(tmp_path: Path, predictor: str) -> None:
    """A finished run's K has the precision that the finish chose for the predictor."""
    run, heard = trained(tmp_path / "run", kolmogorov_predictor=predictor)
    assert heard.ended.kolmogorov is not None
    found, wanted = run.kolmogorov(), heard.ended.kolmogorov
    assert found.bits().items == wanted.bits().items
    assert found.predictor_bits == wanted.predictor_bits
    for name, item in wanted.decoded_state().items():
        assert torch.equal(found.decoded_state()[name], item)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_network_that_is_not_finite_is_left_to_the_watchdog(tmp_path: Path, value: float) -> None:
    """A network that is not finite is not fitted, and the run ends as one without learned steps."""

    def spoil(event: object) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 35:
            with torch.no_grad():
                networks[0].layers[0].weight[0, 0] = value
        if isinstance(event, RunStarted):
            networks.append(event.network)

    networks: list[Any] = []
    heard = Heard()
    bitfold.train(tiny(tmp_path / "run", **LEARNED), [spoil, heard])
    assert heard.ended.reason == "finite"
    assert heard.ended.epoch == 36


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kolmogorov_weight": 0.0}, r"`kolmogorov_weight` to be a weight of K above 0, got 0\."),
        ({"kolmogorov_shape": "none"}, "got no predictor"),
        ({"kolmogorov_range": "fixed"}, "`kolmogorov_range` to be auto, got fixed"),
        ({"kolmogorov_targets": "noise"}, "`kolmogorov_targets` to be rounded, linear or soft"),
        ({"kolmogorov_weight": "bits:80"}, "more than the"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    """Settings that contradict each other are refused with advice before any file is written."""
    with pytest.raises(ConfigError, match=said):
        trained(tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_rounded_targets_need_learned_steps() -> None:
    """Rounded targets are refused without learned steps, since rounding then has no effect."""
    with pytest.raises(ConfigError, match="expected `kolmogorov_quantise='learned'`"):
        Config(kolmogorov_targets="rounded")


def test_the_last_tenth_is_never_everything() -> None:
    """For any number of epochs above one, both parts of a training have at least one epoch."""
    for number in range(2, 200):
        assert 1 <= number - last_soft_epoch(number) < number

"""A run's record in a notebook."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

import bitfold
from bitfold.errors import CheckpointError, RunError
from bitfold.training import CheckpointWritten, EpochEnded, Run, RunEnded, RunStarted
from bitfold.training.store.checkpoints import checkpoint_path
from tests.training.training_runs import TINY, WITH_K, Heard, tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train a run with frames at 0, 1, 4, 10 and the end, and checkpoints every 5 epochs."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    settings = {**WITH_K, "epochs": 21, "save_interval": "geometric:2"}
    return bitfold.train(tiny(folder, **settings))


def test_what_train_returns_is_what_is_loaded(run: Run) -> None:
    """The run that `train` returns equals the run loaded from disk."""
    loaded = bitfold.load_run(str(run.path))
    assert loaded == run
    assert loaded.config.kolmogorov_weight == 0.05
    assert loaded.metrics["epoch"] == list(range(1, 22))
    assert loaded.status["status"] == "completed"
    assert loaded.status["torch"] == torch.__version__
    assert len(loaded.split.training) == TINY["points"]
    assert loaded.target.grid.width == TINY["size"]


def test_networks_come_from_frames_and_checkpoints(run: Run) -> None:
    """A network of any kept epoch, by default the last, gives the loss in that epoch's metrics."""
    assert {0, 1, 4, 10, 15, 20, 21} <= set(run.epochs())
    assert run.epochs() == sorted(run.epochs())
    points = torch.from_numpy(run.target.grid.coordinates(run.split.validation))
    wanted = torch.from_numpy(run.target.values(run.split.validation))
    for epoch in run.epochs()[1:]:
        network = run.network(epoch)
        loss = torch.nn.functional.mse_loss(network(points), wanted).item()
        assert loss == pytest.approx(run.metrics["validation_loss"][epoch - 1], rel=1e-5)
        assert not network.training
    last = run.network().state_dict()
    assert all(torch.equal(last[name], t) for name, t in run.network(21).state_dict().items())


def test_an_epoch_that_was_not_kept_names_the_nearest(run: Run) -> None:
    """The error for an epoch that was not kept names the nearest kept one."""
    with pytest.raises(RunError, match=r"at epoch 99: not kept\. The nearest kept epoch is 21"):
        run.network(99)


def test_a_run_without_checkpoints_has_its_frames(run: Run, tmp_path: Path) -> None:
    """A run without checkpoints still has its frames' networks; foreign files do not matter."""
    shutil.copytree(run.path, tmp_path / "sent", ignore=shutil.ignore_patterns("checkpoints"))
    sent = bitfold.load_run(tmp_path / "sent")
    assert sent.epochs() == [0, 1, 4, 10, 21]
    weights = [found.network(10).get_parameter("layers.0.weight") for found in (sent, run)]
    assert torch.equal(weights[0], weights[1])
    (tmp_path / "sent" / "checkpoints").mkdir()
    (tmp_path / "sent" / "checkpoints" / "epoch-best.safetensors").write_bytes(b"")
    assert sent.epochs() == [0, 1, 4, 10, 21]
    (tmp_path / "sent" / "trajectory.bin").unlink()
    with pytest.raises(RunError, match="at epoch 0: not kept"):
        sent.network()


def test_weights_of_another_network_are_refused(run: Run, tmp_path: Path) -> None:
    """A checkpoint of another network is named in one line."""
    other = bitfold.train(tiny(tmp_path / "other", shape="[4]", epochs=2))
    shutil.copy(checkpoint_path(run.checkpoints, 20), other.checkpoints)
    with pytest.raises(CheckpointError, match="another network") as caught:
        other.network(20)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_a_folder_without_a_run_gets_one_line(tmp_path: Path, make: object) -> None:
    """A folder without a run, existing or missing, gives an error of one line."""
    assert callable(make)
    make(tmp_path / "run")
    with pytest.raises(RunError, match=r"got one without config\.toml"):
        bitfold.load_run(tmp_path / "run")
    with pytest.raises(RunError, match=r"got one without config\.toml"):
        bitfold.resume(tmp_path / "run")


def test_gradient_norms_are_measured_every_50_epochs(tmp_path: Path) -> None:
    """Gradient norms are numbers every 50 epochs and null in all other lines."""
    run = bitfold.train(tiny(tmp_path / "run", **WITH_K, epochs=101))
    for name in ("task_network", "kolmogorov_network", "kolmogorov_predictor"):
        column = run.metrics[f"grad_norm_{name}"]
        assert [epoch for epoch, v in enumerate(column, start=1) if v is not None] == [50, 100]
        assert all(value > 0 for value in column if value is not None)


def test_metrics_add_up(run: Run) -> None:
    """In every line, combined is task plus lambda times K."""
    columns = run.metrics
    for combined, task, nats, weight in zip(
        *(columns[f"{n}"] for n in ("combined_loss", "task_loss", "kolmogorov_loss")),
        columns["kolmogorov_weight"],
        strict=True,
    ):
        assert task is not None
        assert nats is not None
        assert weight == 0.05
        assert combined == pytest.approx(task + weight * nats)
    assert all(bits is not None and bits > 0 for bits in columns["description_bits"])
    assert columns["accuracy"] == [None] * 21


def test_classification_reports_its_accuracy(tmp_path: Path) -> None:
    """A classification has an accuracy and no decibels."""
    run = bitfold.train(tiny(tmp_path / "run", target="rgb-ring", epochs=3))
    assert all(0 <= (value or 0) <= 1 for value in run.metrics["accuracy"])
    assert None not in run.metrics["accuracy"]
    assert run.metrics["psnr_db"] == [None] * 3
    assert run.config.task == "classification"


def test_events_come_in_order(tmp_path: Path) -> None:
    """Events come in order: the start, each epoch before its checkpoint, and the end."""
    heard = Heard()
    bitfold.train(tiny(tmp_path / "run", epochs=6, save_interval="4"), [heard])
    events = heard.events
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunEnded)
    kinds = [
        f"{'E' if isinstance(e, EpochEnded) else 'C'}{e.epoch}"
        for e in events
        if isinstance(e, EpochEnded | CheckpointWritten)
    ]
    assert kinds == ["C0", "E1", "E2", "E3", "E4", "E5", "C5", "E6", "C6"]
    framed = [e.epoch for e in events if isinstance(e, EpochEnded) and e.has_frame]
    assert framed == [4, 6]
    assert all(e.path.exists() for e in events if isinstance(e, CheckpointWritten))


def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    """The same seed gives the same run, and another seed another run."""
    runs = [bitfold.train(tiny(tmp_path / str(n), seed=n // 2)) for n in range(3)]
    columns = [run.metrics["task_loss"] for run in runs]
    assert columns[0] == columns[1] != columns[2]

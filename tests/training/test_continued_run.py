"""A run that continues in the same process gives the bits of an unbroken run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import bitfold
from bitfold.errors import CheckpointError, ConfigError, RunError, TargetError, TrajectoryError
from bitfold.training.config.continuation import predictor_settings
from bitfold.training.store.checkpoints import checkpoint_path, read_checkpoint, write_checkpoint
from tests.training.training_runs import (
    WITH_K,
    Heard,
    assert_same_run,
    frames_of,
    last_state,
    metrics_of,
    tiny,
)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep training from giving up an epoch on a busy machine."""
    monkeypatch.setattr("bitfold.training.watch.stop_request.PATIENCE_SECONDS", 1e9)


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop rounding to a number of bits early: both runs of a pair do the same, in less time."""
    monkeypatch.setattr("bitfold.kolmogorov.fitting.budget._MOST_ROUNDS", 3)


def interrupt_after(epoch: int) -> Any:
    """Return a listener that asks for a stop as the terminal does."""
    import signal

    from bitfold.training import EpochEnded

    def react(event: object) -> None:
        if isinstance(event, EpochEnded) and event.epoch == epoch:
            signal.raise_signal(signal.SIGINT)

    return react


#: Settings that together cover each kind of K, schedule and optimiser.
DAILY: tuple[dict[str, Any], ...] = (
    {},
    {**WITH_K, "kolmogorov_loss_type": "gaussian_nll", "optimizer": "muon"},
    {**WITH_K, "kolmogorov_loss_type": "laplacian_nll", "optimizer": "adamw", "amsgrad": True},
    {"target": "rgb-ring", "optimizer": "rmsprop", "save_interval": "geometric:4"},
    {**WITH_K, "kolmogorov_weight": "mdl", "audit": True},
    {**WITH_K, "kolmogorov_weight": "bits:1200", "kolmogorov_warmup": 14},
    {**WITH_K, "kolmogorov_targets": "noise", "kolmogorov_every": 3, "audit": True},
    {**WITH_K, "kolmogorov_predictor": "row_column", "kolmogorov_range": "auto"},
    {**WITH_K, "kolmogorov_predictor": "adaptive", "audit": True},
)
FURTHER: tuple[dict[str, Any], ...] = (
    WITH_K,
    {**WITH_K, "kolmogorov_loss_type": "mse"},
    {"optimizer": "sgd_momentum", "grad_clip_norm": 0.1, "save_interval": "7"},
    {**WITH_K, "kolmogorov_weight": "mdl", "target": "rgb-ring"},
    {**WITH_K, "kolmogorov_weight": "mdl", "kolmogorov_warmup": 20},
    {**WITH_K, "kolmogorov_weight": "bits:1200"},
    {**WITH_K, "kolmogorov_warmup": 20},
    {**WITH_K, "kolmogorov_targets": "linear", "kolmogorov_every": 7},
    {**WITH_K, "kolmogorov_predictor": "per_tensor", "kolmogorov_weight": "bits:600"},
)


@pytest.mark.parametrize(
    "settings",
    [*DAILY, *(pytest.param(settings, marks=pytest.mark.slow) for settings in FURTHER)],
    ids=lambda settings: "-".join(map(str, settings.values())) or "plain",
)
def test_a_run_that_was_longer_from_the_start_is_the_same(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """12 epochs and then 18 equal 30 epochs, also without a checkpoint or frame due at 12."""
    bitfold.train(tiny(tmp_path / "whole", **{**settings, "epochs": 30}))
    bitfold.train(tiny(tmp_path / "parts", **{**settings, "epochs": 12}))
    bitfold.resume(tmp_path / "parts", epochs=30)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_cosine_goes_on_where_an_interrupted_run_stopped(tmp_path: Path) -> None:
    """With the planned number of epochs unchanged, the cosine continues at the same rate."""
    settings = {**WITH_K, "lr_schedule": "cosine", "epochs": 25}
    bitfold.train(tiny(tmp_path / "whole", **settings))
    heard = Heard()
    bitfold.train(tiny(tmp_path / "parts", **settings), [interrupt_after(12), heard])
    assert heard.ended.epoch == 13
    bitfold.resume(tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


LEARNED: dict[str, Any] = {**WITH_K, "kolmogorov_quantise": "learned", "epochs": 25}


#: Settings, and the epoch of the break in `make test`; `make test-all` breaks at each epoch.
LEARNED_KINDS: tuple[tuple[dict[str, Any], int], ...] = (
    ({"audit": True}, 21),
    ({"kolmogorov_weight": "bits:700", "lr_schedule": "cosine"}, 23),
    ({"kolmogorov_weight": "mdl", "kolmogorov_predictor": "per_tensor", "optimizer": "muon"}, 12),
    ({"kolmogorov_predictor": "coordinate"}, 23),
    ({"kolmogorov_predictor": "adaptive", "kolmogorov_every": 2}, 23),
    ({"kolmogorov_predictor": "coordinate", "kolmogorov_loss_type": "gaussian_nll"}, 21),
    ({"kolmogorov_targets": "linear", "kolmogorov_every": 3, "target": "rgb-ring"}, 12),
)


@pytest.mark.parametrize(
    ("settings", "epoch"),
    [
        pytest.param(
            settings,
            epoch,
            marks=[] if epoch == daily else [pytest.mark.slow],
            id="-".join(map(str, (*settings.values(), epoch))),
        )
        for settings, daily in LEARNED_KINDS
        for epoch in (12, 21, 23)
    ],
)
def test_learned_steps_go_on_where_an_interrupted_run_stopped(
    tmp_path: Path, settings: dict[str, Any], epoch: int
) -> None:
    """A break before, at or after the freezing of steps and predictor changes nothing."""
    bitfold.train(tiny(tmp_path / "whole", **{**LEARNED, **settings}))
    heard = Heard()
    bitfold.train(
        tiny(tmp_path / "parts", **{**LEARNED, **settings}), [interrupt_after(epoch), heard]
    )
    assert heard.ended.epoch == epoch + 1
    bitfold.resume(tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_finished_run_with_learned_steps_thaws_for_more_epochs(tmp_path: Path) -> None:
    """With more epochs, the steps move again, and are frozen at nine tenths of the new number."""
    heard = Heard()
    bitfold.train(tiny(tmp_path / "run", **LEARNED, checkpoint_interval=2))
    before = steps_by_epoch(tmp_path / "run")
    bitfold.resume(tmp_path / "run", [heard], epochs=50)
    after = steps_by_epoch(tmp_path / "run")
    assert before[24] == before[25] != after[46]
    assert after[46] == after[48] == after[50]
    assert heard.ended.kolmogorov is not None
    assert not any(item.requires_grad for item in heard.ended.kolmogorov.parameters())


def steps_by_epoch(folder: Path) -> dict[int, list[float]]:
    """Return the learned steps in each checkpoint."""
    found = {}
    for path in sorted((folder / "checkpoints").iterdir()):
        checkpoint = read_checkpoint(path)
        found[checkpoint.epoch] = checkpoint.tensors["predictor.weight_range.log_steps"].tolist()
    return found


def test_resuming_a_completed_run_changes_nothing(tmp_path: Path) -> None:
    """A completed run without more epochs ends at once and keeps its last frame."""
    bitfold.train(tiny(tmp_path / "run", save_interval="5"))
    before = metrics_of(tmp_path / "run"), frames_of(tmp_path / "run"), last_state(tmp_path / "run")
    heard = Heard()
    run = bitfold.resume(tmp_path / "run", [heard])
    assert (heard.ended.reason, heard.epochs) == ("completed", [])
    after = metrics_of(tmp_path / "run"), frames_of(tmp_path / "run"), last_state(tmp_path / "run")
    assert after == before
    assert run.epochs() == [0, 5, 10, 12]


def test_another_optimiser_begins_afresh_and_goes_on(tmp_path: Path) -> None:
    """After a change of the optimiser, the run continues from the same weights."""
    bitfold.train(tiny(tmp_path / "run", **WITH_K))
    changes: list[dict[str, Any]] = [
        {"optimizer": "muon"},
        {"optimizer": "adam", "amsgrad": True},
        {"optimizer": "rmsprop", "momentum": 0.0},
        {"momentum": 0.9},
        {"learning_rate": 0.5, "kolmogorov_weight": 0.001},
        {"kolmogorov_weight": "mdl"},
        {"kolmogorov_weight": "bits:1200"},
        {"kolmogorov_weight": 0.01, "kolmogorov_warmup": 100, "kolmogorov_every": 2},
        {"kolmogorov_every": 1},
        {"kolmogorov_weight": 0.0},
        {"kolmogorov_weight": 0.1, "kolmogorov_shape": "[2]", "kolmogorov_bins": 8},
    ]
    for number, change in enumerate(changes, start=1):
        weights = bitfold.load_run(tmp_path / "run").network().state_dict()
        heard = Heard()
        bitfold.resume(tmp_path / "run", [heard], epochs=12 + 2 * number, **change)
        assert heard.epochs == [11 + 2 * number, 12 + 2 * number]
        kept = bitfold.load_run(tmp_path / "run").network(10 + 2 * number).state_dict()
        assert all(torch.equal(weights[name], kept[name]) for name in weights)


def test_the_checkpoint_knows_its_own_optimiser(tmp_path: Path) -> None:
    """A change of optimiser that was killed before its first checkpoint is made again."""
    bitfold.train(tiny(tmp_path / "run"))
    shutil.copytree(tmp_path / "run", tmp_path / "killed")
    bitfold.resume(tmp_path / "run", epochs=14, optimizer="muon")
    # A kill right after the start leaves the new settings with the old checkpoint.
    config = bitfold.load_run(tmp_path / "run").config
    bitfold.load_run(tmp_path / "killed").folder.write_config(config)
    bitfold.resume(tmp_path / "killed")
    assert_same_run(tmp_path / "run", tmp_path / "killed")


@pytest.mark.parametrize("name", ["shape", "seed", "size", "task", "output_dir", "batch_size"])
def test_what_makes_another_run_is_refused(tmp_path: Path, name: str) -> None:
    """A change of a setting that identifies the run is refused."""
    bitfold.train(tiny(tmp_path / "run", epochs=1))
    changed: dict[str, Any] = {name: "4"}
    with pytest.raises(ConfigError, match=f"`{name}`"):
        bitfold.resume(tmp_path / "run", **changed)


def test_the_predictor_of_a_run_that_has_one_stays(tmp_path: Path) -> None:
    """A predictor's shape, bins and kind cannot change, since K would not be comparable."""
    bitfold.train(tiny(tmp_path / "run", epochs=1, **WITH_K))
    for name in predictor_settings():
        changed: dict[str, Any] = {name: 4}
        with pytest.raises(ConfigError, match="would be another run"):
            bitfold.resume(tmp_path / "run", **changed)


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(tmp_path: Path) -> None:
    """A wrong byte in the newest checkpoint costs a few epochs, which are trained again."""
    for name in ("whole", "broken"):
        bitfold.train(tiny(tmp_path / name, epochs=14))
    path = checkpoint_path(tmp_path / "broken" / "checkpoints", 14)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    heard = Heard()
    bitfold.resume(tmp_path / "broken", [heard])
    (notice,) = heard.notices
    assert str(path) in notice
    assert "\n" not in notice
    assert heard.epochs == [11, 12, 13, 14]
    assert_same_run(tmp_path / "whole", tmp_path / "broken")


def test_a_run_without_a_whole_checkpoint_is_not_started_over(tmp_path: Path) -> None:
    """If every checkpoint is damaged or gone, the run is refused and its files stay."""
    bitfold.train(tiny(tmp_path / "run"))
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    for path in (tmp_path / "run" / "checkpoints").iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="damaged"):
        bitfold.resume(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(CheckpointError, match="checkpoints holds none"):
        bitfold.resume(tmp_path / "run")
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_a_checkpoint_of_another_network_is_passed_over(tmp_path: Path) -> None:
    """Another network's checkpoint is named by its first different tensor and passed over."""
    bitfold.train(tiny(tmp_path / "run"))
    bitfold.train(tiny(tmp_path / "other", shape="[5]*2", epochs=13))
    place, heard = tmp_path / "run" / "checkpoints", Heard()
    shutil.copy(checkpoint_path(tmp_path / "other" / "checkpoints", 13), place)
    bitfold.resume(tmp_path / "run", [heard], epochs=14)
    assert heard.epochs == [13, 14]
    assert any("layers.0.weight of shape (6, 2), got of shape (5, 2)" in n for n in heard.notices)


def test_a_checkpoint_of_another_network_is_refused_if_there_is_no_other(tmp_path: Path) -> None:
    """If the only checkpoint is another network's, it is refused and no file changes."""
    bitfold.train(tiny(tmp_path / "run"))
    bitfold.train(tiny(tmp_path / "other", shape="[5]*2", epochs=13))
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    shutil.copytree(tmp_path / "other" / "checkpoints", tmp_path / "run" / "checkpoints")
    before = metrics_of(tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"layers\.0\.weight of shape \(6, 2\), got of"):
        bitfold.resume(tmp_path / "run", epochs=20, learning_rate=0.5)
    assert metrics_of(tmp_path / "run") == before
    assert bitfold.load_run(tmp_path / "run").config.learning_rate == 0.01


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("random.order", None),
        ("optimizer.network0.0.exp_avg", torch.zeros(7, 7)),
        ("optimizer.network0.99.step", torch.zeros(())),
    ],
)
def test_a_whole_checkpoint_that_is_none_of_ours_is_passed_over(
    tmp_path: Path, name: str, tensor: torch.Tensor | None
) -> None:
    """A checkpoint with a right checksum that lacks or reshapes a part is named and passed over."""
    bitfold.train(tiny(tmp_path / "run"))
    folder, heard = tmp_path / "run" / "checkpoints", Heard()
    found = read_checkpoint(checkpoint_path(folder, 12))
    tensors = {n: t for n, t in found.tensors.items() if n != name}
    if tensor is not None:
        tensors[name] = tensor
    write_checkpoint(folder, type(found)(12, tensors, found.facts))
    bitfold.resume(tmp_path / "run", [heard])
    assert heard.epochs == [11, 12]
    assert any(
        "checkpoint epoch-000000012.safetensors does not fit" in notice for notice in heard.notices
    )


def test_another_split_is_refused(tmp_path: Path) -> None:
    """A split of another run is refused, so that no validation point is trained on."""
    bitfold.train(tiny(tmp_path / "run"))
    bitfold.train(tiny(tmp_path / "other", seed=1, epochs=1))
    shutil.copy(tmp_path / "other" / "split.safetensors", tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"training points.*split\.safetensors"):
        bitfold.resume(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("split.safetensors", RunError),
        ("target.safetensors", TargetError),
        ("trajectory.bin", TrajectoryError),
        ("config.toml", (ConfigError, RunError)),
    ],
)
@pytest.mark.parametrize("content", [b"nothing", b"\x00" * 64, b"\xff", None])
def test_a_missing_or_damaged_file_gets_one_line(
    tmp_path: Path, name: str, error: type[Exception], content: bytes | None
) -> None:
    """A missing or damaged file is named in one line; only a trajectory may be missing."""
    bitfold.train(tiny(tmp_path / "run", epochs=1))
    path = tmp_path / "run" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    if (name, content) == ("trajectory.bin", None):
        bitfold.resume(tmp_path / "run", epochs=2)
        return
    with pytest.raises(error, match=name.split(".", maxsplit=1)[0]) as caught:
        bitfold.resume(tmp_path / "run", epochs=2)
    assert "\n" not in str(caught.value)


def test_a_stagnating_run_gets_a_new_chance_under_other_settings(tmp_path: Path) -> None:
    """A run that a watchdog ended continues with a changed rate and an empty watchdog memory."""
    heard = Heard()
    settings = {"learning_rate": 1e-9, "activation": "relu", "optimizer": "adam", "epochs": 100}
    run = bitfold.train(tiny(tmp_path / "run", **settings, shape="[1]*6"), [heard])
    assert heard.ended.reason in {"stagnation", "loop"}
    again, other = Heard(), Heard()
    bitfold.resume(run.path, [again])
    bitfold.resume(run.path, [other], learning_rate=0.01)
    assert len(again.epochs) == 1
    assert len(other.epochs) > 1


def test_a_kind_of_k_without_a_lambda_brings_one_and_says_so(tmp_path: Path) -> None:
    """A new or continued run with a kind of K and no lambda prints one line with its lambda."""
    new, later, again = Heard(), Heard(), Heard()
    kind = {"kolmogorov_predictor": "per_tensor"}
    run = bitfold.train(tiny(tmp_path / "k", epochs=1, **kind), [new])
    line = "Training with lambda 0.003: a kind of K was chosen, and no lambda."
    assert [notice[: len(line)] for notice in new.notices] == [line]
    assert run.config.kolmogorov_weight == 0.003
    plain = bitfold.train(tiny(tmp_path / "plain", epochs=1), [again])
    assert plain.config.kolmogorov_weight is None
    bitfold.resume(plain.path, [later], kolmogorov_quantise="learned", epochs=2)
    assert [notice[: len(line)] for notice in later.notices][:1] == [line]
    bitfold.resume(plain.path, [again], epochs=3)
    assert not any(line in notice for notice in again.notices)

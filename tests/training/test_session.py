"""A session: its caller advances it, changes it, and repeats it bit for bit."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bitfold
from bitfold.errors import ConfigError, RunError, TargetError
from bitfold.training import Changed, EpochEnded, RunEnded, RunStarted
from tests.training.training_runs import WITH_K, Heard, assert_same_run, metrics_of, tiny

PAINTED = np.tri(16, dtype=np.uint8) * 255


def train_with(session: bitfold.Session, changes: dict[int, dict[str, Any]]) -> None:
    """Train to the end, and make each change after its epoch."""
    with session:
        for event in session:
            if isinstance(event, EpochEnded) and event.epoch in changes:
                session.change(**changes[event.epoch])


def test_each_step_gives_the_next_event_and_trains_no_further(tmp_path: Path) -> None:
    """Each step returns the next event, and trains an epoch only if that event needs it."""
    heard = Heard()
    with bitfold.Session(tiny(tmp_path / "run", epochs=3), [heard]) as session:
        assert isinstance(next(session), RunStarted)
        assert session.epoch == 0
        events = [next(session)]
        while not isinstance(events[-1], EpochEnded):
            events.append(next(session))
        assert session.epoch == 1
        assert bitfold.load_run(tmp_path / "run").metrics["epoch"] == [1]
        events += list(session)
    assert isinstance(events[-1], RunEnded)
    assert heard.events[1:] == events
    assert heard.epochs == [1, 2, 3]


def test_advanced_by_its_caller_is_the_same_as_trained_to_the_end(tmp_path: Path) -> None:
    """A session advanced to its end equals `train`."""
    bitfold.train(tiny(tmp_path / "trained", **WITH_K))
    for _ in bitfold.Session(tiny(tmp_path / "advanced", **WITH_K)):
        pass
    assert_same_run(tmp_path / "trained", tmp_path / "advanced")


def test_leaving_the_loop_saves_and_unlocks(tmp_path: Path) -> None:
    """Leaving the loop saves the last epoch and unlocks the folder for another session."""
    bitfold.train(tiny(tmp_path / "whole", **WITH_K))
    heard = Heard()
    session = bitfold.Session(tiny(tmp_path / "run", **WITH_K), [heard])
    for event in session:
        if isinstance(event, EpochEnded) and event.epoch == 4:
            break
    run = bitfold.load_run(tmp_path / "run")
    assert (run.status["status"], run.status["epoch"], run.epochs()[-1]) == ("paused", 4, 4)
    assert (heard.ended.reason, heard.ended.epoch, heard.ended.exit_code) == ("paused", 4, 0)
    with pytest.raises(RunError, match="this session is closed, after epoch 4"):
        next(session)
    for _ in bitfold.Session.resume(tmp_path / "run"):
        pass
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_an_open_session_keeps_others_out(tmp_path: Path) -> None:
    """An open session locks its folder, and an error in a block unlocks it."""
    with pytest.raises(ZeroDivisionError), bitfold.Session(tiny(tmp_path / "run")) as session:
        next(session)
        with pytest.raises(RunError, match="another process is training there"):
            bitfold.Session.resume(tmp_path / "run")
        _ = 1 / 0
    bitfold.Session.resume(tmp_path / "run").close()


def test_no_signal_handler_is_installed(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """An interrupt is an exception in the caller's loop, and the state before it is saved."""
    bitfold.train(tiny(tmp_path / "whole"))
    given = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore SIGINT
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, given))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), bitfold.Session(tiny(tmp_path / "run")) as session:
        for event in session:
            assert signal.getsignal(signal.SIGINT) is before
            if isinstance(event, EpochEnded) and event.epoch == 3:
                signal.raise_signal(signal.SIGINT)
    assert bitfold.load_run(tmp_path / "run").status["epoch"] == 3
    bitfold.resume(tmp_path / "run")
    assert_same_run(tmp_path / "whole", tmp_path / "run")


CHANGES: dict[str, dict[int, dict[str, Any]]] = {
    "lambda": {3: {"kolmogorov_weight": 0.5}},
    "rate": {2: {"learning_rate": 0.1}, 7: {"learning_rate": 0.001}},
    "optimiser": {4: {"optimizer": "sgd"}},
    "temperature": {5: {"kolmogorov_temperature": 0.5}},
    "points": {6: {"points": 80}},
    "planted bug": {4: {"kolmogorov_targets": "cut"}, 9: {"kolmogorov_targets": None}},
    "target": {3: {"target": PAINTED}, 8: {"target": 255 - PAINTED}},
    "many": {3: {"target": PAINTED, "learning_rate": 0.1}, 4: {"epochs": 15, "points": 30}},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_run_is_repeated_bit_for_bit(tmp_path: Path, name: str) -> None:
    """A replay of a changed run's record from its start has the same bits."""
    changes = CHANGES[name]
    train_with(bitfold.Session(tiny(tmp_path / "run", **WITH_K)), changes)
    run = bitfold.load_run(tmp_path / "run")
    assert [change.epoch - 1 for change in run.changes.items] == list(changes)
    run.replay(tmp_path / "again")
    assert_same_run(tmp_path / "run", tmp_path / "again")
    plain = bitfold.train(tiny(tmp_path / "plain", **WITH_K))
    assert metrics_of(plain.path) != metrics_of(run.path)


@pytest.mark.parametrize(
    ("name", "stop"),
    [
        ("target", 3),
        ("many", 4),
        ("many", 9),
        *(pytest.param("target", stop, marks=pytest.mark.slow) for stop in (2, 4, 9)),
        *(pytest.param("many", stop, marks=pytest.mark.slow) for stop in (2, 3)),
    ],
)
def test_a_run_that_was_stopped_goes_on_with_its_changes(
    tmp_path: Path, name: str, stop: int
) -> None:
    """A run stopped before, at or after a change, without its last checkpoint, goes on with it."""
    settings = {**WITH_K, "checkpoint_interval": 5}
    train_with(bitfold.Session(tiny(tmp_path / "whole", **settings)), CHANGES[name])
    with bitfold.Session(tiny(tmp_path / "run", **settings)) as session:
        for event in session:
            if isinstance(event, EpochEnded) and event.epoch in CHANGES[name]:
                session.change(**CHANGES[name][event.epoch])
            if isinstance(event, EpochEnded) and event.epoch == stop:
                break
    (tmp_path / "run" / "checkpoints" / f"epoch-{stop:09d}.safetensors").unlink()
    left = {epoch: change for epoch, change in CHANGES[name].items() if epoch > stop}
    train_with(bitfold.Session.resume(tmp_path / "run"), left)
    assert_same_run(tmp_path / "whole", tmp_path / "run")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"kolmogorov_quantise": "learned", "kolmogorov_weight": 0.01},
        {"kolmogorov_quantise": "learned", "kolmogorov_weight": "bits:400"},
    ],
    ids=["soft", "learned", "bits"],
)
@pytest.mark.parametrize("many", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_branch_goes_on_as_its_parent_did(
    tmp_path: Path, settings: dict[str, Any], many: bool
) -> None:
    """A branch of any epoch continues with its parent's bits, and without its parent."""
    with_k = {n: v for n, v in WITH_K.items() if not settings or n == "kolmogorov_bins"}
    chosen = {**with_k, "epochs": 40 if many else 11, "measure_folds": 0, **settings}
    parent = bitfold.train(tiny(tmp_path / "run", **chosen))
    last = parent.config.epochs
    random = np.random.default_rng(7).permutation(last + 1)[:20].tolist()
    for epoch in random if many else (last - 1,) if settings else (0, 7, last):
        child = parent.branch(epoch, tmp_path / f"at-{epoch}")
        assert child.metrics["epoch"] == list(range(1, epoch + 1))
        assert child.status["parent_epoch"] == epoch
        bitfold.resume(child.path)
        assert_same_run(parent.path, child.path)


def test_a_branch_of_a_changed_run_has_the_changes_before_it(tmp_path: Path) -> None:
    """A branch has its parent's changes before its epoch, and not the later ones."""
    train_with(bitfold.Session(tiny(tmp_path / "run", **WITH_K)), CHANGES["target"])
    parent = bitfold.load_run(tmp_path / "run")
    child = parent.branch(5, tmp_path / "branch")
    assert child.changes == parent.changes.until(5)
    assert np.array_equal(child.target.pixels[0, :, :, 0], PAINTED)
    train_with(bitfold.Session.resume(child.path), {8: {"target": 255 - PAINTED}})
    assert_same_run(parent.path, child.path)
    bitfold.load_run(child.path).replay(tmp_path / "again")
    assert_same_run(child.path, tmp_path / "again")


def test_what_resume_is_given_is_a_change(tmp_path: Path) -> None:
    """Other settings of a resumed run are changes, which a replay repeats."""
    bitfold.train(tiny(tmp_path / "run", **WITH_K))
    bitfold.resume(tmp_path / "run", epochs=18, learning_rate=0.002)
    run = bitfold.load_run(tmp_path / "run")
    (change,) = run.changes.items
    assert (change.epoch, change.settings) == (13, {"epochs": 18, "learning_rate": 0.002})
    assert change.before == {"epochs": 12, "learning_rate": 0.01}
    run.replay(tmp_path / "again")
    assert_same_run(run.path, tmp_path / "again")


def test_a_change_is_an_event_with_the_live_network(tmp_path: Path) -> None:
    """A change is an event with the network before it, which is not trained further."""
    with bitfold.Session(tiny(tmp_path / "run")) as session:
        next(session)
        before = session.network
        session.change(learning_rate=0.5)
        event = next(e for e in session if isinstance(e, Changed))
        assert (event.epoch, event.settings) == (1, {"learning_rate": 0.5})
        assert event.network is not before
        assert event.run.config.learning_rate == 0.5
        for one, other in zip(event.network.parameters(), before.parameters(), strict=True):
            assert torch.equal(one, other)


def test_what_changes_nothing_is_not_recorded(tmp_path: Path) -> None:
    """A setting that has the value already, and the same picture, are not recorded."""
    with bitfold.Session(tiny(tmp_path / "run")) as session:
        session.change(learning_rate=0.01, target=session.run.target.pixels)
        session.change()
    assert not (tmp_path / "run" / "changes.jsonl").exists()


def test_a_change_that_cannot_be_made_leaves_the_run_as_it_was(tmp_path: Path) -> None:
    """An impossible change leaves no record, and training continues."""
    bitfold.train(tiny(tmp_path / "whole"))
    with bitfold.Session(tiny(tmp_path / "run")) as session:
        next(session)
        with pytest.raises(ConfigError, match="another `shape`: it would be another run"):
            session.change(shape="[3]")
        with pytest.raises(ConfigError, match="learning_rate"):
            session.change(learning_rate=-1)
        with pytest.raises(TargetError, match=r"expected uint8 pixels of shape \(16, 16, 1\)"):
            session.change(target=np.zeros((8, 8), np.uint8))
        with pytest.raises(ConfigError, match="1024 x 1024") as refused:
            session.change(target=bitfold.targets.load_target("disk"))
        assert "Start a new run instead." in str(refused.value)
        for _ in session:
            pass
    assert not (tmp_path / "run" / "changes.jsonl").exists()
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_strokes_at_one_moment_are_repeated_as_the_last_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several strokes at one moment a replay makes only the last, with the same bits."""
    strokes = [np.roll(PAINTED, number, 0) for number in range(5)]
    with bitfold.Session(tiny(tmp_path / "run", **WITH_K)) as session:
        for event in session:
            if isinstance(event, EpochEnded) and event.epoch == 3:
                for stroke in strokes[:4]:
                    session.change(target=stroke)
                session.change(learning_rate=0.02)
                session.change(target=strokes[4])
    run, made = bitfold.load_run(tmp_path / "run"), list[object]()
    assert len(run.changes.items) == 6
    before = bitfold.Session._altered

    def altered(*given: Any) -> Any:
        made.append(given)
        return before(*given)

    monkeypatch.setattr(bitfold.Session, "_altered", altered)
    run.replay(tmp_path / "again")
    assert len(made) == 3
    assert_same_run(tmp_path / "run", tmp_path / "again")


def test_what_a_reader_would_refuse_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many changes of an epoch, or too many bytes, are refused; strokes may follow others."""
    monkeypatch.setattr("bitfold.training.store.changes.MOST_AT_ONCE", 3)
    with bitfold.Session(tiny(tmp_path / "run", epochs=2)) as session:
        next(session)
        for number in range(4):
            session.change(target=np.roll(PAINTED, number, 0))
        session.change(learning_rate=0.1)
        session.change(learning_rate=0.2)
        for change in ({"learning_rate": 0.3}, {"target": PAINTED}):
            with pytest.raises(RunError, match="at most 3 changes before epoch 1, got more"):
                session.change(**change)
        while session.epoch < 1:
            next(session)
        session.change(learning_rate=0.3)
        path = tmp_path / "run" / "changes.jsonl"
        size = path.stat().st_size
        monkeypatch.setattr("bitfold.training.store.changes.MAX_BYTES", size + 9)
        with pytest.raises(RunError, match=f"at most {size + 9} bytes of changes"):
            session.change(target=PAINTED)
        assert path.stat().st_size == size
        for _ in session:
            pass
    run = bitfold.load_run(tmp_path / "run")
    assert (len(run.changes.items), run.changes.target_number()) == (7, 4)
    assert not (tmp_path / "run" / "target-0005.safetensors").exists()
    assert run.config.learning_rate == 0.3


def test_after_the_end_nothing_can_be_changed(tmp_path: Path) -> None:
    """After the end a change is refused, and the error says how to continue."""
    session = bitfold.Session(tiny(tmp_path / "run", epochs=1))
    assert isinstance(list(session)[-1], RunEnded)
    assert list(session) == []
    with pytest.raises(RunError, match=r"its training is over.*Session\.resume"):
        session.change(epochs=5)


def test_a_branch_of_an_epoch_that_is_still_to_come_is_refused(tmp_path: Path) -> None:
    """A branch of a future epoch is refused and leaves no folder."""
    run = bitfold.train(tiny(tmp_path / "run", epochs=2))
    with pytest.raises(RunError, match="expected an epoch from 0 to 2"):
        run.branch(3, tmp_path / "branch")
    assert not (tmp_path / "branch").exists()
    with pytest.raises(RunError, match="the folder holds a run"):
        run.branch(1, run.path)


def _refuse(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_change_that_the_disk_refuses_did_not_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that the disk refuses is not made, and training continues as before."""
    bitfold.train(tiny(tmp_path / "whole"))
    with bitfold.Session(tiny(tmp_path / "run")) as session:
        next(session)
        with monkeypatch.context() as patched:
            patched.setattr("bitfold.training.run.alteration.append_change", _refuse)
            with pytest.raises(RunError, match="No space left on device"):
                session.change(learning_rate=0.5)
        for _ in session:
            pass
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_a_change_counts_from_its_line_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorded change counts, even if the disk refuses the new configuration."""
    with bitfold.Session(tiny(tmp_path / "run", epochs=2)) as session:
        next(session)
        with monkeypatch.context() as patched:
            patched.setattr("bitfold.training.store.folder.RunFolder.write_config", _refuse)
            session.change(learning_rate=0.5)
        assert "learning_rate = 0.01" in (tmp_path / "run" / "config.toml").read_text()
        assert bitfold.load_run(tmp_path / "run").config.learning_rate == 0.5
        for _ in session:
            pass
    bitfold.load_run(tmp_path / "run").replay(tmp_path / "again")
    assert_same_run(tmp_path / "run", tmp_path / "again")

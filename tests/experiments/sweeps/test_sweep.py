"""`bitfold.sweep`: members side by side; sweeps continued, extended and refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from bitfold import Config, load_run, load_sweep, sweep
from bitfold.errors import ConfigError, RunError
from bitfold.experiments import MemberEnded, SweepEvent, SweepStarted, merge_sweeps
from bitfold.model_file import read_model
from bitfold.training import RunFolder, Session
from tests.experiments.sweeps.sweep_runs import CONFIG, untimed

GRID: dict[str, Any] = {"kolmogorov_weight": [0, 0.01], "seed": range(2)}


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a sweep of four members, one at a time."""
    folder = tmp_path_factory.mktemp("sweep") / "sweep"
    assert sweep(CONFIG, GRID, folder, jobs=1).exit_code == 0
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """Return a copy of the sweep, which a test may change."""
    return Path(shutil.copytree(trained_once, tmp_path / "sweep"))


def test_members_are_ordinary_runs_and_rows_of_the_table(trained_once: Path) -> None:
    """Members are runs with readable names, and the table has the sizes of their files."""
    found = load_sweep(trained_once)
    table = found.table
    assert table["member"] == [f"lambda-{w}-seed-{s}" for w in ("0", "0.01") for s in (0, 1)]
    for row in table.rows():
        run = load_run(trained_once / row["member"])
        assert (run.config.seed, run.config.threads) == (row["seed"], row["threads"])
        assert run.metrics["validation_loss"][-1] == row["last_validation_loss"]
        assert min(run.metrics["validation_loss"]) == row["best_validation_loss"]  # type: ignore[type-var] # all are numbers
        path = trained_once / f"{row['member']}.bitfold"
        assert path.stat().st_size == row["num_bytes"]
        read_model(path)
    assert (trained_once / "sweep.csv").read_text() == table.to_csv()
    assert table.to_csv().count("\n") == 5


def test_results_do_not_depend_on_the_number_of_jobs(trained_once: Path, tmp_path: Path) -> None:
    """The number of jobs changes no number of the table and no byte of a file, except times."""
    other = sweep(CONFIG, GRID, tmp_path / "two", jobs=2)
    assert untimed(other) == untimed(load_sweep(trained_once))
    for path in trained_once.glob("*.bitfold"):
        assert path.read_bytes() == (other.path / path.name).read_bytes()


def test_a_second_call_trains_what_is_missing(trained: Path) -> None:
    """A plan with more values trains only its new members; old ones keep names and numbers."""
    before = load_sweep(trained)
    events: list[SweepEvent] = []
    grid: dict[str, Any] = {
        "seed": [0, 2],
        "learning_rate": [0.001, 0.01],
        "kolmogorov_weight": [0.01],
    }
    found = sweep(CONFIG, grid, trained, jobs=1, listeners=[events.append])
    assert isinstance(events[0], SweepStarted)
    assert (events[0].num_members, events[0].num_missing) == (7, 3)
    assert sum(isinstance(event, MemberEnded) for event in events) == 3
    assert found.exit_code == 0
    assert found.table["member"][:4] == before.table["member"]
    assert found.table["num_bytes"][:4] == before.table["num_bytes"]
    assert found.table["learning_rate"] == [0.001] * 4 + [0.01, 0.001, 0.01]


def test_other_settings_are_refused_by_name(trained: Path) -> None:
    """Changed settings are refused by name; no member is trained and the record is unchanged."""
    before = (trained / "sweep.json").read_bytes()
    with pytest.raises(ConfigError, match="expected `epochs` 2 as it was begun with, got 3"):
        sweep(CONFIG.replace(epochs=3), GRID, trained)
    with pytest.raises(ConfigError, match="`activation`"):
        sweep(CONFIG.replace(activation="relu"), {"seed": [7]}, trained)
    assert (trained / "sweep.json").read_bytes() == before


def test_a_deleted_folder_is_trained_again_to_the_same_end(trained: Path) -> None:
    """A member whose folder was deleted is trained again to the same bits; the others stay."""
    before = untimed(load_sweep(trained))
    shutil.rmtree(trained / "lambda-0.01-seed-1")
    events: list[SweepEvent] = []
    found = sweep(None, (), trained, jobs=1, listeners=[events.append])
    assert [e.member.name for e in events if isinstance(e, MemberEnded)] == ["lambda-0.01-seed-1"]
    assert untimed(found) == before


def test_members_fail_alone_and_are_tried_again(trained: Path) -> None:
    """A member with a foreign run, a file or a lock in its folder fails alone and is retried."""
    before = untimed(load_sweep(trained))
    record = json.loads((trained / "sweep.json").read_text())
    for member in record["members"][:2]:
        del member["end"]
    (trained / "sweep.json").write_text(json.dumps(record))
    config = trained / "lambda-0-seed-0" / "config.toml"
    right = config.read_text()
    config.write_text(right.replace("epochs = 2", "epochs = 1"))
    shutil.rmtree(trained / "lambda-0-seed-1")
    (trained / "lambda-0-seed-1").write_text("in the way")
    found = sweep(None, (), trained, jobs=1)
    assert found.exit_code == 1
    assert found.table["status"] == ["error", "error", "completed", "completed"]
    assert "expected a run with `epochs` 2, got one with 1" in found.table["reason"][0]
    assert all("\n" not in reason for reason in found.table["reason"])
    config.write_text(right)
    (trained / "lambda-0-seed-1").unlink()
    again = sweep(None, (), trained, jobs=1)
    assert again.exit_code == 0
    assert untimed(again) == before


def test_a_member_that_diverges_is_recorded_with_its_reason(tmp_path: Path) -> None:
    """A diverged member is recorded with its reason, is not tried again, and ends no sweep."""
    grid = {"learning_rate": [1e6, 0.001]}
    config = CONFIG.replace(epochs=60, optimizer="sgd")
    found = sweep(config, grid, tmp_path / "sweep", jobs=1)
    assert found.table["status"] == ["finite", "completed"]
    assert "Stopped by the watchdog 'finite'" in found.table["reason"][0]
    assert (found.exit_code, found.missing) == (1, [])


def test_a_program_error_is_a_member_that_crashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A programming error crashes only its member, and the next call trains the member."""
    train = Session.__next__

    def fail(session: Session) -> Any:
        if session.run.config.seed == 1:
            raise ZeroDivisionError("of a\nbug")
        return train(session)

    with monkeypatch.context() as patched:
        patched.setattr(Session, "__next__", fail)
        found = sweep(CONFIG, {"seed": range(3)}, tmp_path / "sweep", jobs=1)
    assert found.table["status"] == ["completed", "crashed", "completed"]
    assert found.table["reason"][1] == r"ZeroDivisionError: of a\nbug"
    assert sweep(None, (), found.path, jobs=1).exit_code == 0


def test_two_sweeps_do_not_share_a_folder(trained: Path, tmp_path: Path) -> None:
    """A sweep refuses a folder of another sweep, of a run, or of another process's training."""
    run = load_sweep(trained).run("lambda-0-seed-0")
    with pytest.raises(ConfigError, match="got a run's"):
        sweep(CONFIG, GRID, run.path)
    with RunFolder(trained).lock(), pytest.raises(RunError, match="another process"):
        sweep(None, (), trained)
    with pytest.raises(RunError, match=r"there is no sweep\.json"):
        sweep(None, GRID, tmp_path / "none")
    with pytest.raises(RunError, match="without it"):
        load_sweep(tmp_path)


def test_parts_are_put_together(trained_once: Path, tmp_path: Path) -> None:
    """Parts of a sweep, trained in any order, together equal one sweep."""
    parts = [sweep(CONFIG, GRID, tmp_path / f"part-{i}", part=(i, 3), jobs=1) for i in (1, 2, 3)]
    assert [part.table.num_rows for part in parts] == [2, 1, 1]
    assert all(part.exit_code == 0 for part in parts)
    first = merge_sweeps([parts[2].path, parts[0].path], tmp_path / "whole")
    assert (first.exit_code, first.table["status"].count("missing")) == (1, 1)
    whole = merge_sweeps([parts[1].path], tmp_path / "whole")
    assert whole.exit_code == 0
    assert untimed(whole) == untimed(load_sweep(trained_once))
    assert whole.run(whole.members[0]).last_epoch == 2
    with pytest.raises(ConfigError, match="expected 1/3 as it was begun with"):
        sweep(CONFIG, GRID, parts[0].path, part=(2, 3))
    other = sweep(CONFIG.replace(epochs=1), GRID, tmp_path / "other", part=(1, 3), jobs=1)
    with pytest.raises(ConfigError, match="another `epochs`"):
        merge_sweeps([other.path], whole.path)


@pytest.mark.parametrize(("jobs", "part"), [(0, None), (True, None), (1, (0, 2)), (1, (3, 2))])
def test_numbers_out_of_bounds_are_refused(tmp_path: Path, jobs: int, part: Any) -> None:
    """Numbers out of bounds are refused before any file is written."""
    with pytest.raises(ConfigError):
        sweep(CONFIG, GRID, tmp_path / "sweep", jobs=jobs, part=part)
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"members": [{"name": "../out", "settings": {"seed": 0}}]},
        {"members": [{"name": "a", "settings": {}}]},
        {"members": [{"name": "a", "settings": {"seed": -1}}]},
        {"members": [{"name": "a", "settings": {"seed": 0}, "end": {"status": 3}}]},
        {"members": [{"name": "a", "settings": {"seed": 0}, "end": {"status": "", "file": "/x"}}]},
        {"members": [{"name": "a", "settings": {"seed": 0}, "end": {"status": "", "epochs": 1.5}}]},
        {"members": [{"name": "é" * 150, "settings": {"seed": 0}}]},
        {"members": [{"name": "a", "settings": {"seed": 0}}] * 2},
        {"varied": ["sede"]},
        {"varied": ["log_file"]},
        {"varied": ["checkpoint_dir"]},
        {"settings": {"output_dir": "/elsewhere"}},
        {"settings": {"log_file": "/elsewhere"}},
        {"settings": {"epochs": "many"}},
        {"part": [2, 1]},
        {"version": 2},
        {"members": None},
    ],
)
def test_a_damaged_record_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """A damaged record, which may be a stranger's, is refused in one line."""
    content = {
        "format": "bitfold sweep", "version": 1, "settings": {}, "varied": ["seed"],
        "writes_files": True, "part": None, "members": [], **change,
    }  # fmt: skip
    (tmp_path / "sweep.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match="expected the record of a sweep") as caught:
        load_sweep(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_member_that_leads_elsewhere_is_not_opened(trained: Path, tmp_path: Path) -> None:
    """A link in a member's place, and a name that is a path, are refused."""
    found = load_sweep(trained)
    name = found.members[0].name
    (trained / name).rename(tmp_path / "elsewhere")
    (trained / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="a symbolic link"):
        found.run(name)
    with pytest.raises(RunError, match="no member's name"):
        found.run("../elsewhere")


def test_nothing_is_trained_outside_of_the_folder(trained: Path, tmp_path: Path) -> None:
    """Neither a link nor a name in a stranger's record makes a sweep train outside its folder."""
    record = json.loads((trained / "sweep.json").read_text())
    member = record["members"][0]
    del member["end"]
    (trained / "sweep.json").write_text(json.dumps(record))
    (tmp_path / "outside").mkdir()
    shutil.rmtree(trained / member["name"])
    (trained / member["name"]).symlink_to(tmp_path / "outside")
    found = sweep(None, (), trained, jobs=1)
    assert "a symbolic link" in found.table["reason"][0]
    record["settings"]["checkpoint_dir"] = str(tmp_path / "outside")
    (trained / "sweep.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match="`checkpoint_dir`"):
        sweep(None, (), trained)
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("what", ["link", "holes"])
def test_files_of_a_part_are_copied_only_if_they_are_plain(
    trained: Path, tmp_path: Path, what: str
) -> None:
    """No link is followed, and no file is taken that is larger than the disk."""
    path = trained / "lambda-0-seed-0" / "metrics.jsonl"
    if what == "link":
        (tmp_path / "victim").write_text("private")
        path.unlink()
        path.symlink_to(tmp_path / "victim")
    else:
        try:
            os.truncate(path, 2**42)
        except OSError:
            pytest.skip("this disk has no files with holes")
    with pytest.raises(RunError, match="Cannot copy the member lambda-0-seed-0"):
        merge_sweeps([trained], tmp_path / "whole")
    assert not (tmp_path / "whole" / "lambda-0-seed-0").exists()


def test_the_table_is_a_data_frame_where_pandas_is(
    trained_once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is a pandas DataFrame; without pandas, one line says how to install it."""
    import sys

    class Frames:
        DataFrame = dict

    monkeypatch.setitem(sys.modules, "pandas", Frames)
    table = load_sweep(trained_once).table
    assert table.to_pandas() == dict(table)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(RunError, match="pip install pandas"):
        table.to_pandas()


def test_config_of_a_first_call_is_needed() -> None:
    """A first call without settings to vary is refused."""
    with pytest.raises(ConfigError, match="without members"):
        sweep(Config(), {})

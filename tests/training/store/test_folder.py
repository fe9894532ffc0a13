"""Write access to folders: no foreign file is deleted, and no runs are mixed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import bitfold
from bitfold.errors import RunError
from bitfold.training import RunFolder
from bitfold.training.store.checkpoints import checkpoint_path
from tests.training.training_runs import Heard, assert_same_run, run_in_child, tiny


def files_of(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_that_holds_a_run_is_refused(tmp_path: Path) -> None:
    """A folder with a run is refused, the run stays, and the line says what to do."""
    bitfold.train(tiny(tmp_path / "run"))
    before = files_of(tmp_path / "run")
    with pytest.raises(RunError, match=r"holds a run.*bitfold resume.*`overwrite=True`"):
        bitfold.train(tiny(tmp_path / "run", seed=1))
    assert files_of(tmp_path / "run") == before


def test_overwriting_deletes_the_runs_own_files_only(tmp_path: Path) -> None:
    """Overwriting deletes only the old run's files and keeps all others."""
    folder = tmp_path / "run"
    bitfold.train(tiny(folder, epochs=14, shape="[3]"))
    (folder / "snapshots").mkdir()
    for name in ("snapshots/frame-000000003.png", "video.mp4", "loss.png"):
        (folder / name).write_bytes(b"old")
    mine = ("notes.txt", "snapshots/mine.png", "checkpoints/mine.safetensors")
    for name in mine:
        (folder / name).write_bytes(b"mine")
    bitfold.train(tiny(folder), overwrite=True)
    assert all((folder / name).read_bytes() == b"mine" for name in mine)
    assert not (folder / "snapshots" / "frame-000000003.png").exists()
    assert not (folder / "video.mp4").exists()
    bitfold.train(tiny(tmp_path / "fresh"))
    assert_same_run(folder, tmp_path / "fresh")


def test_a_damaged_run_can_be_overwritten(tmp_path: Path) -> None:
    """A damaged run, even with an unreadable configuration, can be overwritten."""
    folder = tmp_path / "run"
    bitfold.train(tiny(folder))
    (folder / "config.toml").write_text("size = 3\n")
    bitfold.train(tiny(folder, seed=1), overwrite=True)
    assert bitfold.load_run(folder).config.seed == 1


@pytest.mark.parametrize(
    "name", ["metrics.jsonl", "trajectory.bin", "video.mp4", "checkpoints", "snapshots"]
)
def test_results_of_another_run_are_not_gone_on_with(tmp_path: Path, name: str) -> None:
    """Results in a folder without a configuration are neither used nor lost."""
    folder = tmp_path / "run"
    path = folder / name
    if name == "checkpoints":
        path = checkpoint_path(folder / name, 7)
    if name == "snapshots":
        path = folder / name / "frame-000000007.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"another's")
    with pytest.raises(RunError, match="belongs to another run"):
        bitfold.train(tiny(folder))
    assert path.read_bytes() == b"another's"
    assert not RunFolder(folder).is_run()


def test_two_runs_never_share_an_outside_folder(tmp_path: Path) -> None:
    """Runs with one absolute checkpoint folder have parts of their own; a clash is refused."""
    outside = str(tmp_path / "outside")
    one = bitfold.train(tiny(tmp_path / "a" / "one", checkpoint_dir=outside))
    other = bitfold.train(tiny(tmp_path / "a" / "other", checkpoint_dir=outside))
    assert one.checkpoints == tmp_path / "outside" / "one"
    assert other.checkpoints == tmp_path / "outside" / "other"
    before = files_of(tmp_path / "outside")
    for overwrite in (False, True):
        with pytest.raises(RunError, match="belongs to another run"):
            bitfold.train(tiny(tmp_path / "b" / "one", checkpoint_dir=outside), overwrite=overwrite)
    assert files_of(tmp_path / "outside") == before
    again = bitfold.train(
        tiny(tmp_path / "a" / "one", checkpoint_dir=outside, epochs=2), overwrite=True
    )
    assert sorted(path.stem for path in again.checkpoints.iterdir()) == [
        "epoch-000000000",
        "epoch-000000002",
    ]


def try_to_train(folder: str, overwrite: bool) -> None:
    """Train where another process trains; runs in a process of its own."""
    with pytest.raises(RunError, match="another process is training there"):
        bitfold.train(tiny(Path(folder), seed=1), overwrite=True) if overwrite else bitfold.resume(
            folder
        )


def test_a_folder_in_use_is_refused_to_others(tmp_path: Path) -> None:
    """Neither a resume nor an overwrite touches a run that another process trains."""
    codes: list[int] = []

    def intrude(event: object) -> None:
        if isinstance(event, bitfold.training.EpochEnded) and event.epoch == 6:
            codes.extend(run_in_child(try_to_train, str(tmp_path / "run"), o) for o in (0, 1))

    bitfold.train(tiny(tmp_path / "run"), [intrude])
    assert codes == [0, 0]
    bitfold.train(tiny(tmp_path / "whole"))
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_a_folder_is_free_when_a_run_has_ended(tmp_path: Path) -> None:
    """The lock is released at a run's end, also if the run did not begin."""
    folder = RunFolder(tmp_path)
    for _ in range(2):
        with folder.lock(), pytest.raises(RunError, match="another process"), folder.lock():
            pass


@pytest.mark.skipif(os.name != "posix", reason="a file in the way of a folder is the same anywhere")
@pytest.mark.parametrize("where", ["file", "file/below", "/proc/none"])
def test_an_unwritable_folder_gets_one_line(tmp_path: Path, where: str) -> None:
    """A file in the way, or a read-only folder, gives an error of one line."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="Cannot write into") as caught:
        bitfold.train(tiny(tmp_path / where))
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_bytes() == b""


def test_a_run_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A moved run has relative contents, and its paths are those of its new place."""
    monkeypatch.chdir(tmp_path)
    run = bitfold.train(tiny(Path("run")))
    assert run.path == tmp_path / "run"
    (tmp_path / "run").rename(tmp_path / "moved")
    heard = Heard()
    moved = bitfold.resume("moved", [heard], epochs=14)
    assert moved.config.output_dir == str(tmp_path / "moved")
    assert heard.epochs == [13, 14]
    assert not (tmp_path / "run").exists()

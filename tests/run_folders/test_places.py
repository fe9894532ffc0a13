"""A run's files stay within its folder, unless its user names another folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

import bitfold
from bitfold.errors import RunError
from tests.run_folders.stranger_runs import Call, Place

OF_FRAMES = (["resume", "--epochs", "6"], ["render"])
OF_CHECKPOINTS = (
    ["resume", "--epochs", "6"],
    ["audit"],
    ["report"],
    ["compress", "-o", "a.bitfold"],
    ["polytopes", "-o", "a.npz"],
)
CASES = [("snapshot_dir", words) for words in OF_FRAMES]
CASES += [("checkpoint_dir", words) for words in OF_CHECKPOINTS]


@pytest.mark.parametrize(("setting", "words"), CASES)
@pytest.mark.parametrize("where", ["{outside}/taken", "../../outside/taken", "~/taken", "a/../.."])
def test_a_folder_that_config_toml_alone_names_is_not_used(
    setting: str, words: list[str], where: str, place: Place, call: Call
) -> None:
    """A folder that only config.toml names is not used; the line names the option to allow it."""
    shown = where.format(outside=place.outside)
    place.set(f'{setting} = "{shown}"')
    before = place.files()
    said = call(words[0], place.run, *words[1:])
    assert said.is_refused(), said
    option = "--" + setting.replace("_", "-")
    assert f"If it is yours, repeat {option} {shown}.\n" in said.err
    assert place.is_untouched()
    assert place.files() == before


def test_a_folder_that_the_user_repeats_is_used(place: Place, call: Call) -> None:
    """If the user names the folder too, the run keeps its checkpoints there."""
    elsewhere = place.outside / "taken" / "run"
    (place.run / "checkpoints").rename(elsewhere)
    place.set(f'checkpoint_dir = "{place.outside / "taken"}"')
    option = ("--checkpoint-dir", place.outside / "taken")
    said = call("resume", place.run, "--epochs", "6", *option)
    assert (said.code, said.err) == (0, "")
    assert (elsewhere / "epoch-000000006.safetensors").exists()
    assert not (place.run / "checkpoints").exists()
    for words in (["audit"], ["report"], ["compress", "-o", place.here / "a.bitfold"]):
        assert call(words[0], place.run, *words[1:], *option).code == 0


@pytest.mark.parametrize("where", ["{outside}/taken/log", "../../outside/victim", "~/log"])
def test_a_log_that_config_toml_alone_names_is_left_out(
    where: str, place: Place, call: Call
) -> None:
    """A log that only config.toml names is omitted with a line, and the run continues."""
    shown = where.format(outside=place.outside)
    place.set(f'log_file = "{shown}"')
    said = call("resume", place.run, "--epochs", "6")
    assert (said.code, said.err) == (0, "")
    assert "The log is not continued" in said.out
    assert "repeat --log-file" in said.out.replace("\n", " ")
    assert place.is_untouched()
    assert len(bitfold.load_run(place.run).metrics["epoch"]) == 6


def test_a_log_within_the_run_is_continued(place: Place, call: Call) -> None:
    """A log within the run is continued if it is a plain file and no link."""
    place.set(f'log_file = "{place.run}/log.txt"')
    assert call("resume", place.run, "--epochs", "5").code == 0
    assert "epoch 5" in (place.run / "log.txt").read_text(encoding="utf-8")
    (place.run / "log.txt").unlink()
    (place.run / "log.txt").symlink_to(place.outside / "victim")
    said = call("resume", place.run, "--epochs", "6")
    assert said.code == 0
    assert "The log is not continued" in said.out
    assert place.is_untouched()


def test_the_folder_is_where_it_lies_now(place: Place, call: Call) -> None:
    """A run uses the folder that it lies in, although ``output_dir`` may name another run's."""
    place.set(f'output_dir = "{place.outside / "taken"}"')
    assert call("resume", place.run, "--epochs", "6").code == 0
    assert place.is_untouched()
    assert len(bitfold.load_run(place.run).metrics["epoch"]) == 6


def test_a_picture_that_config_toml_names_is_not_learned(
    place: Place, call: Call, trained: Path, tmp_path: Path
) -> None:
    """A run learns its own picture, although another one lies at the path in config.toml."""
    picture, as_it_was = tmp_path / "other.png", tmp_path / "as it was" / "run"
    Image.new("RGB", (32, 32), "red").save(picture)
    place.set(f'target = "{picture}"')
    shutil.copytree(trained, as_it_was)
    for run in (place.run, as_it_was):
        assert call("resume", run, "--epochs", "6").code == 0
    losses = [bitfold.load_run(run).metrics["task_loss"] for run in (place.run, as_it_was)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 6
    assert place.is_untouched()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs")
def test_a_picture_that_config_toml_names_is_not_opened(
    place: Place, call: Call, tmp_path: Path
) -> None:
    """No command opens the path in config.toml: a reader of this FIFO would wait for ever."""
    os.mkfifo(tmp_path / "picture.png")
    place.set(f'target = "{tmp_path / "picture.png"}"')
    here = place.here.parent
    for words in (
        ["resume", "--epochs", "6"], ["render"], ["audit"], ["plot", "-o", here / "a.png"],
        ["report", "-o", here / "a.html"], ["compress", "-o", here / "a.bitfold"],
        ["polytopes", "-o", here / "a.npz"],
    ):  # fmt: skip
        said = call(words[0], place.run, *words[1:])
        assert said.code == 0, said


def test_a_run_is_trained_again_without_its_checkpoints(place: Place, call: Call) -> None:
    """A replay needs no checkpoints of the first run, and keeps its own."""
    place.set(f'checkpoint_dir = "{place.outside / "taken"}"')
    place.set(f'snapshot_dir = "{place.outside / "taken"}"')
    assert call("replay", place.run).code == 0
    assert place.is_untouched()


def test_a_branch_begins_with_the_checkpoints_that_its_maker_names(place: Place) -> None:
    """A branch begins with its parent's checkpoints anywhere, and keeps its own in its folder."""
    (place.run / "checkpoints").rename(place.outside / "taken" / "run")
    place.set(f'checkpoint_dir = "{place.outside / "taken"}"')
    with pytest.raises(RunError, match="repeat `checkpoint_dir="):
        bitfold.load_run(place.run).branch(3, place.here / "branch")
    assert not any(place.here.iterdir())
    parent = bitfold.load_run(place.run, checkpoint_dir=str(place.outside / "taken"))
    branch = parent.branch(3, place.here / "branch")
    assert branch.checkpoints == place.here / "branch" / "checkpoints"
    assert branch.metrics["task_loss"] == parent.metrics["task_loss"][:3]

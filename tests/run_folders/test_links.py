"""Commands follow no link in a run, and read no endless file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import bitfold
from bitfold.errors import BitfoldError
from tests.run_folders.stranger_runs import Call, Place, in_time

RESUME = ["resume", "--epochs", "6"]
#: A file, a command that reads or appends to it, and whether the command can do without it.
READ = (
    ("config.toml", RESUME, False),
    ("changes.jsonl", RESUME, False),
    ("metrics.jsonl", RESUME, False),
    ("metrics.jsonl", ["plot"], False),
    ("trajectory.bin", RESUME, False),
    ("trajectory.bin", ["render"], False),
    ("target.safetensors", RESUME, False),
    ("split.safetensors", RESUME, False),
    (".lock", RESUME, False),
    ("checkpoints/epoch-000000004.safetensors", RESUME, True),
    ("checkpoints/epoch-000000004.safetensors", ["compress", "-o", "{here}/../a"], False),
    ("run.json", RESUME, True),
    ("video.mp4", ["render"], True),
    ("audit.txt", ["resume", "--epochs", "6", "--audit"], True),
)


def link_to(where: str) -> Callable[[Path, Place], None]:
    """Put a symbolic link in the place of a file."""
    return lambda path, place: path.symlink_to(place.outside / where)


def fifo(path: Path, place: Place) -> None:
    """Put a FIFO in the place of a file; reading it waits for ever."""
    os.mkfifo(path)


SPECIAL: dict[str, tuple[Callable[[Path, Place], None], str]] = {
    "link": (link_to("victim"), "a symbolic link"),
    "link to nothing": (link_to("missing"), "a symbolic link"),
    "device": (link_to("/dev/zero"), "a symbolic link"),
    "FIFO": (fifo, "a FIFO"),
    "folder": (lambda path, place: path.mkdir(), "a folder"),
}


@pytest.mark.parametrize("what", SPECIAL)
@pytest.mark.parametrize("case", READ)
def test_what_is_no_plain_file_is_not_read(
    case: tuple[str, list[str], bool], what: str, place: Place, call: Call
) -> None:
    """A link or a FIFO is refused in one line or ignored; the link's target stays unchanged."""
    name, words, goes_on = case
    path = place.run / name
    path.unlink(missing_ok=True)
    make, kind = SPECIAL[what]
    make(path, place)
    said = call(words[0], place.run, *(word.format(here=place.here) for word in words[1:]))
    if goes_on and said.code == 0:
        assert said.err == ""
        assert len(bitfold.load_run(place.run).metrics["epoch"]) >= 4
    else:
        assert said.is_refused(), said
        is_named = name.rpartition("/")[2] in said.err or name == "config.toml"
        assert is_named, said.err
        is_said = kind in said.err or (what == "folder" and "Is a directory" in said.err)
        assert is_said or name == "config.toml", said.err
        assert not goes_on or what == "folder"  # nothing can be written over a folder
    assert place.is_untouched()


def test_temporary_names_are_not_foreseen(place: Place, call: Call) -> None:
    """Links under old temporary names, and in the places of results, are not followed."""
    names = (
        "config.toml.tmp", "run.json.tmp", "metrics.jsonl.tmp", ".video.mp4.partial",
        "video.previous.mp4", "video.mp4", "last_frame.png", "loss.png", "report.html", "folds.png",
    )  # fmt: skip
    for name in names:
        (place.run / name).symlink_to(place.outside / "victim")
    for words in (RESUME, ["render"], ["plot"], ["report"]):
        said = call(words[0], place.run, *words[1:])
        assert (said.code, said.err) == (0, ""), (words, said)
        assert place.is_untouched(), words
    for name in ("video.mp4", "last_frame.png", "loss.png", "report.html"):
        assert not (place.run / name).is_symlink()
        assert (place.run / name).stat().st_size > 500


@pytest.mark.parametrize("name", ["checkpoints", "snapshots"])
@pytest.mark.parametrize("what", ["link", "file", "FIFO"])
def test_folders_are_not_led_elsewhere(name: str, what: str, place: Place, call: Call) -> None:
    """A link in the place of a folder of the run is refused."""
    path = place.run / name
    if path.exists():
        path.rename(place.run / "before")
    if what == "link":
        path.symlink_to(place.outside / "taken")
    elif what == "file":
        path.write_bytes(b"")
    else:
        os.mkfifo(path)
    got = {"link": "a symbolic link", "file": "a file", "FIFO": "a FIFO"}[what]
    for words in (RESUME, ["render"] if name == "snapshots" else ["audit"]):
        said = call(words[0], place.run, *words[1:])
        assert said.is_refused(), said
        assert f"{name}: expected a plain folder, got {got}. Move it away." in said.err
        assert place.is_untouched()


@pytest.mark.parametrize("name", ["render", "render/frames", "tensorboard"])
def test_folders_of_drawings_are_not_led_elsewhere(name: str, place: Place, call: Call) -> None:
    """Links in the places of the folders of other styles and of TensorBoard are not followed."""
    (place.run / "render").mkdir()
    (place.run / "render").rmdir() if name == "render" else None
    (place.run / name).symlink_to(place.outside / "taken")
    words = [*RESUME, "--tensorboard"] if name == "tensorboard" else ["render", "--faces", "area"]
    said = call(words[0], place.run, *words[1:])
    assert said.is_refused(), said
    assert "expected a plain folder, got a symbolic link" in said.err
    assert place.is_untouched()


def test_a_run_reached_by_a_link_is_used(place: Place, call: Call) -> None:
    """A run is used through a link of the user's, outside the run."""
    link = place.outside.parent / "link"
    link.symlink_to(place.run)
    assert call("resume", link, "--epochs", "6").code == 0
    assert call("render", link).code == 0


@pytest.mark.parametrize("name", ["target.safetensors", "split.safetensors", "run.json"])
def test_files_without_end_are_refused_by_their_size(name: str, place: Place) -> None:
    """A sparse file of a terabyte is refused by its size and takes no memory."""
    with (place.run / name).open("r+b") as file:
        file.truncate(2**40)
    run = bitfold.load_run(place.run)
    with in_time(20):
        if name == "run.json":
            assert run.status == {}
            return
        with pytest.raises(BitfoldError, match="expected at most"):
            assert run.split


@pytest.mark.parametrize("name", ["metrics.jsonl", "trajectory.bin"])
def test_files_larger_than_the_disk_are_not_copied(name: str, place: Place) -> None:
    """A branch is refused before it copies a sparse file that is larger than the disk."""
    with (place.run / name).open("r+b") as file:
        file.truncate(2**43)
    with in_time(20), pytest.raises(BitfoldError, match=r"expected at most .* bytes, got 8,796,0"):
        bitfold.load_run(place.run).branch(3, place.here / "branch")
    left = {path.name for path in (place.here / "branch").rglob("*") if path.is_file()}
    assert left <= {".lock"}


@pytest.mark.parametrize("what", ["device", "FIFO", "folder", "sparse"])
@pytest.mark.parametrize("command", ["info", "decompress", "report"])
def test_a_model_file_in_the_run_is_no_trap(
    command: str, what: str, place: Place, call: Call
) -> None:
    """A link, FIFO or endless file in a model file's place is refused by its name."""
    path = place.run / "net.bitfold"
    if what == "sparse":
        with path.open("wb") as file:
            file.truncate(2**40)
    else:
        SPECIAL[what][0](path, place)
    words = {
        "info": ["info", path],
        "decompress": ["decompress", path, "-o", place.here / "a.png"],
        "report": ["report", place.run, "--model", path],
    }[command]
    said = call(*words)
    assert said.is_refused(), said
    assert "net.bitfold" in said.err
    assert place.is_untouched()

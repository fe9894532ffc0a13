"""Tests of targets on disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import save

from bitfold.errors import TargetError
from bitfold.targets import Frames, load_target, make_target, read_target, write_target


def assert_same(left: Any, right: Any) -> None:
    """Compare every field of two targets."""
    for field in ("name", "task", "is_clip", "frames_per_second"):
        assert getattr(left, field) == getattr(right, field)
    for field in ("pixels", "class_colours", "classes"):
        a, b = getattr(left, field), getattr(right, field)
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def samples() -> Any:
    """Give one target of each sort."""
    noise = np.random.default_rng(0).integers(0, 65536, (3, 5, 4, 3)).astype(np.uint16)
    left_out = draw = load_target("ring", size=33, task="classification")
    assert left_out.num_left_out
    return [
        load_target("spiral", size=20),
        load_target("rgb-ring", size=40),
        draw,
        make_target("ünusual 'name'\n\udcff", Frames(noise, frames_per_second=29.97)),
        make_target("no rate", Frames(noise), task="regression"),
    ]


@pytest.mark.parametrize("target", samples(), ids=lambda target: ascii(target.name))
def test_a_target_comes_back_as_it_was(tmp_path: Path, target: Any) -> None:
    """Writing and reading gives an equal target, and leaves no other file behind."""
    write_target(tmp_path / "target.safetensors", target)
    back = read_target(tmp_path / "target.safetensors")
    assert_same(back, target)
    assert [path.name for path in tmp_path.iterdir()] == ["target.safetensors"]
    assert back.pixels.flags.writeable


def test_writing_replaces_the_whole_file(tmp_path: Path) -> None:
    """A second target takes the place of the first."""
    write_target(tmp_path / "t", load_target("rgb-ring", size=40))
    write_target(tmp_path / "t", load_target("disk", size=8))
    assert_same(read_target(tmp_path / "t"), load_target("disk", size=8))


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk fills while writing, the old target stays and no temporary file is left."""
    write_target(tmp_path / "t", load_target("disk", size=8))

    def full(descriptor: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bitfold.targets.file.os.fsync", full)
    with pytest.raises(TargetError, match="No space left on device"):
        write_target(tmp_path / "t", load_target("ring", size=8))
    assert [path.name for path in tmp_path.iterdir()] == ["t"]
    assert_same(read_target(tmp_path / "t"), load_target("disk", size=8))


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    """A folder that is not there is an error that names the file."""
    with pytest.raises(TargetError, match="nowhere"):
        write_target(tmp_path / "nowhere" / "t", load_target("disk", size=8))


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_refused(tmp_path: Path, data: Any) -> None:
    """A file that is cut, or whose bytes changed, gives a TargetError or still a valid target."""
    path, good = tmp_path / "t", tmp_path / "good"
    if not good.exists():
        write_target(good, load_target("rgb-ring", size=24))
    content = bytearray(good.read_bytes())
    cut = data.draw(st.integers(0, len(content)))
    content = content[:cut] if data.draw(st.booleans()) else content
    for _ in range(data.draw(st.integers(1, 4))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        read_target(path).values(np.array([0]))
    except TargetError as error:
        assert "\n" not in str(error)


GOOD = {
    "version": 1,
    "name": "t",
    "task": "regression",
    "is_clip": False,
    "frames_per_second": None,
}
PIXELS = {"pixels": np.zeros((1, 2, 2, 1), np.uint8)}


@pytest.mark.parametrize(
    ("fields", "tensors"),
    [
        (None, PIXELS),
        ([1], PIXELS),
        (GOOD | {"version": 2}, PIXELS),
        (GOOD | {"name": 3}, PIXELS),
        (GOOD | {"task": "other"}, PIXELS),
        (GOOD | {"task": "classification"}, PIXELS),
        (GOOD | {"is_clip": 1}, PIXELS),
        (GOOD | {"is_clip": True, "frames_per_second": "10"}, PIXELS),
        (GOOD | {"is_clip": True, "frames_per_second": True}, PIXELS),
        (GOOD | {"is_clip": True, "frames_per_second": float("inf")}, PIXELS),
        (GOOD, {}),
        (GOOD, {"pixels": np.zeros((1, 2, 2, 1), np.float32)}),
        (GOOD, {"pixels": np.zeros((2, 2, 2, 1), np.uint8)}),
        (GOOD, PIXELS | {"other": np.zeros(3)}),
        (GOOD, PIXELS | {"classes": np.zeros(4, np.int8)}),
        (GOOD, PIXELS | {"classes": np.zeros(4, np.int64)}),
    ],
)
def test_hostile_contents_are_refused(tmp_path: Path, fields: Any, tensors: Any) -> None:
    """Metadata and arrays of other types, shapes or names are never believed."""
    write_target(tmp_path / "good", make_target("t", Frames(PIXELS["pixels"])))
    read_target(tmp_path / "good")
    metadata = None if fields is None else {"bitfold_target": json.dumps(fields)}
    (tmp_path / "bad").write_bytes(save(tensors, metadata))
    with pytest.raises(TargetError, match="Cannot read target"):
        read_target(tmp_path / "bad")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"version": 1e999}', "1" * 10_000])
def test_hostile_metadata_is_refused(tmp_path: Path, text: Any) -> None:
    """Broken, deep or enormous JSON is an error like any other."""
    (tmp_path / "bad").write_bytes(save(PIXELS, {"bitfold_target": text}))
    with pytest.raises(TargetError, match="Cannot read target"):
        read_target(tmp_path / "bad")


def test_missing_and_overlong_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing file, a directory and a file beyond the limit raise the same kind of error."""
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(TargetError, match="Cannot read target"):
            read_target(path)
    write_target(tmp_path / "t", load_target("disk", size=8))
    monkeypatch.setattr("bitfold.targets.file.MAX_FILE_BYTES", 100)
    with pytest.raises(TargetError, match="at most 100 bytes"):
        read_target(tmp_path / "t")


def test_a_path_is_a_path_even_with_the_name_of_a_built_in_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `pathlib.Path` with a built-in's name is a path; a missing file is an error in one line."""
    pixels = np.arange(400, dtype=np.uint8).reshape(20, 20)
    Image.fromarray(pixels).save(tmp_path / "ring", "PNG")
    monkeypatch.chdir(tmp_path)
    assert load_target(Path("ring")).grid.width == 20
    assert load_target("ring", size=64).grid.width == 64
    with pytest.raises(TargetError, match=r"spirall"):
        load_target(Path("spirall"))

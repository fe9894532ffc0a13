"""Partition files: all arrays come back, and changed files are refused."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bitfold.errors import PolytopeError
from bitfold.networks import PolytopeNet
from bitfold.polytopes import Partition, Plane, load_partition, partition
from tests.polytopes.dense_networks import WIDE, dense

FIELDS = (
    "vertices", "edges", "face_offsets", "face_vertices", "face_edges", "neighbours",
    "owner_offsets", "owners", "owner_layers", "areas", "centroids", "patterns", "vertex_outputs",
)  # fmt: skip
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def found() -> Partition:
    """Return a partition of three outputs."""
    torch.manual_seed(0)
    return partition(dense([9, 8, 7], nn.ReLU, outputs=3), WIDE)


@pytest.fixture
def path(found: Partition, tmp_path: Path) -> Path:
    """Return a file of the partition."""
    found.save(tmp_path / "found.npz")
    return tmp_path / "found.npz"


def test_all_comes_back_but_the_network(found: Partition, path: Path) -> None:
    """A file returns all arrays bit for bit, and all results that need no network."""
    loaded = load_partition(path)
    loaded.check()
    for name in FIELDS:
        own, other = getattr(found, name), getattr(loaded, name)
        assert own.dtype == other.dtype, name
        np.testing.assert_array_equal(own, other, err_msg=name)
    assert (loaded.layers, loaded.layer_sizes) == (found.layers, found.layer_sizes)
    assert loaded.is_whole
    np.testing.assert_array_equal(loaded.affine_maps(), found.affine_maps())
    for lines in ("decision_boundary", "level_set"):
        own, other = getattr(found, lines)(), getattr(loaded, lines)()
        np.testing.assert_array_equal(np.concatenate(own), np.concatenate(other))
    loaded.save(path.with_name("again.npz"))
    assert path.with_name("again.npz").read_bytes() == path.read_bytes()


def test_a_file_says_which_layers_encode(path: Path) -> None:
    """A file tells folds of an encoding; earlier releases wrote files that do not say it."""
    network = PolytopeNet(2, "[4]", 1, encoding="triangle:2").eval()
    partition(network).save(path)
    assert load_partition(path).num_encoding_layers == 2
    with np.load(path) as found:
        arrays = dict(found)
    header = json.loads(arrays["header"].tobytes())
    del header["encoding_layers"]
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **arrays)
    assert load_partition(path).num_encoding_layers == 0


def test_numpy_alone_reads_the_file(found: Partition, path: Path) -> None:
    """NumPy reads the file without pickle, and the header is JSON."""
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["vertices"], found.vertices)
        header = json.loads(arrays["header"].tobytes())
    assert header["format"] == "bitfold partition"
    assert [layer["neurons"] for layer in header["layers"]] == [9, 8, 7]


def test_a_plane_among_many_inputs_comes_back(tmp_path: Path) -> None:
    """A plane among many inputs comes back with the inputs' shape."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 1)).eval()
    plane = Plane.through(*torch.randn(3, 3, 2, 2))
    partition(module, WIDE, plane).save(tmp_path / "plane.npz")
    loaded = load_partition(tmp_path / "plane.npz").plane
    assert all(torch.equal(getattr(loaded, n), getattr(plane, n)) for n in ("origin", "u", "v"))


def test_what_a_file_cannot_tell_is_said(tmp_path: Path, path: Path) -> None:
    """Points outside, and outputs without the later layers' folds, get an error from a file."""
    with pytest.raises(PolytopeError, match=r"got 1 outside, first \[9\.0, 0\.0\]"):
        load_partition(path).evaluate([[0, 0], [9, 0]])
    partition(dense([5, 5], nn.ReLU), WIDE, until_layer=1).save(tmp_path / "part.npz")
    part = load_partition(tmp_path / "part.npz")
    with pytest.raises(PolytopeError, match="expected the folds of all 2 layers, got fewer"):
        part.evaluate([[0, 0]])
    assert part.locate([[0, 0]]) >= 0


def test_a_file_that_cannot_be_written_is_one_line(found: Partition, tmp_path: Path) -> None:
    """A failed write is an error of one line, and the old file stays."""
    (tmp_path / "folder").mkdir()
    for bad in (tmp_path / "none" / "found.npz", tmp_path / "folder"):
        with pytest.raises(PolytopeError, match="Cannot write partition") as caught:
            found.save(bad)
        assert "\n" not in str(caught.value)
    assert [item.name for item in tmp_path.iterdir()] == ["folder"]


def refused(path: Path) -> str:
    """Return a file's error, which is one line that names the file."""
    with pytest.raises(PolytopeError) as caught:
        load_partition(path)
    said = str(caught.value)
    assert said.startswith(f"Cannot read partition {path}: ")
    assert "\n" not in said
    return said


def test_a_file_that_is_cut_short_anywhere_is_refused(path: Path) -> None:
    """A file cut near its end, in its middle or to nothing is refused."""
    whole = path.read_bytes()
    for length in [0, 1, 100, *range(200, len(whole), 4999), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert "expected a whole .npz archive" in refused(path)


@pytest.mark.parametrize("seed", range(3))
def test_a_changed_byte_is_refused_or_changes_nothing(
    seed: int, path: Path, found: Partition
) -> None:
    """A changed byte is refused by an array's checksum, or lies between arrays."""
    whole, generator = path.read_bytes(), np.random.default_rng(seed)
    num_refused = 0
    for _ in range(120):
        data = bytearray(whole)
        data[int(generator.integers(len(data)))] ^= 1 << int(generator.integers(8))
        path.write_bytes(data)
        try:
            loaded = load_partition(path)
        except PolytopeError:
            num_refused += 1
        else:
            assert all(np.array_equal(getattr(loaded, n), getattr(found, n)) for n in FIELDS)
    assert num_refused > 100


@pytest.mark.parametrize("seed", range(2))
def test_changed_bytes_with_the_right_checksums_do_no_harm(seed: int, path: Path) -> None:
    """A changed file with right checksums is refused in one line, or answers queries."""
    with np.load(path) as opened:
        arrays = dict(opened)
    generator = np.random.default_rng(seed)
    for _ in range(150):
        changed = {name: array.copy() for name, array in arrays.items()}
        name = list(changed)[int(generator.integers(len(changed)))]
        flat = changed[name].reshape(-1).view(np.uint8)
        flat[int(generator.integers(len(flat)))] ^= 1 << int(generator.integers(8))
        np.savez(path, **changed)
        try:
            loaded = load_partition(path)
        except PolytopeError:
            continue
        assert name in {"vertices", "maps", "outputs", "patterns", "plane", "owners", "header"}
        loaded.locate(np.zeros((3, 2)))


def with_array(name: str, array: np.ndarray) -> Callable[[Arrays], Arrays]:
    """Return a change that replaces one array."""
    return lambda arrays: {**arrays, name: array}


def with_header(**changes: Any) -> Callable[[Arrays], Arrays]:
    """Return a change of facts in the header."""

    def change(arrays: Arrays) -> Arrays:
        header = json.loads(arrays["header"].tobytes()) | changes
        return {**arrays, "header": np.frombuffer(json.dumps(header).encode(), np.uint8)}

    return change


def with_item(name: str, index: Any, value: float) -> Callable[[Arrays], Arrays]:
    """Return a change of one number."""

    def change(arrays: Arrays) -> Arrays:
        array = arrays[name].copy()
        array[index] = value
        return {**arrays, name: array}

    return change


LAYER = {"place": "0", "name": "relu", "neurons": 3}
CHANGES: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "less": (lambda a: {k: v for k, v in a.items() if k != "maps"}, "expected the arrays"),
    "more": (with_array("code", np.zeros(3)), "expected the arrays"),
    "type": (with_array("vertices", np.zeros((3, 2), np.float32)), "vertices of type <f8"),
    "axes": (with_array("edges", np.zeros(4, np.int32)), "edges of 2 axes, got 1"),
    "turned": (with_array("edges", np.zeros((4, 2), np.int32, order="F")), "'fortran_order': True"),
    "empty": (with_array("vertices", np.zeros((0, 2))), "edges of 0 to -1"),
    "far": (with_item("face_vertices", 5, 10**6), "face_vertices of 0 to"),
    "negative": (with_item("face_edges", 5, -1), "face_edges of 0 to"),
    "descending": (with_item("face_offsets", 3, 0), "face_offsets from 0 to"),
    "beyond": (with_item("owner_offsets", -1, 10**6), "owner_offsets from 0 to"),
    "vertex": (with_item("face_vertices", 5, 0), "faces whose edges join their vertices"),
    "beside": (
        with_item("neighbours", (0, 0), 7),
        "the faces beside each edge, got others at edge 0",
    ),
    "owner": (with_item("owners", 0, 24), "owners of 0 to 23"),
    "nan": (with_item("maps", (0, 0, 0), np.nan), "finite numbers in maps"),
    "plane": (with_item("plane", (1, 0), 0), "two directions"),
    "version": (with_header(version=2), "expected format version 1, got 2"),
    "format": (
        with_header(format="other"),
        "of the format 'bitfold partition', got one of another",
    ),
    "layers": (with_header(layers=[{**LAYER, "neurons": -1}]), "a number of neurons for each"),
    "many": (with_header(layers=[{**LAYER, "neurons": 2**31}]), "a number of neurons for each"),
    "in_all": (with_header(layers_in_all=2), "`layers_in_all` of at least 3, got 2"),
    "encoding": (with_header(encoding_layers=4), "`encoding_layers` of 0 to 3, got 4"),
    "true": (with_header(given_up=True), "`given_up` to be a number of folds, got True"),
    "deep": (with_array("header", np.frombuffer(b"[" * 10**6, np.uint8)), "header in JSON"),
    "list": (
        with_array("header", np.frombuffer(b"[]", np.uint8)),
        "of the format 'bitfold partition'",
    ),
}


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=CHANGES)
def test_what_does_not_fit_is_named(
    change: Callable[[Arrays], Arrays], said: str, path: Path
) -> None:
    """Arrays that are missing, of another kind or contradictory are named in the error."""
    with np.load(path) as opened:
        arrays = dict(opened)
    changed: dict[str, Any] = change(arrays)
    np.savez(path, **changed)
    assert said in refused(path)


def test_no_pickle_is_opened(path: Path) -> None:
    """An array of objects is refused by its dtype, so that no pickle is read."""
    with np.load(path) as opened:
        arrays = dict(opened)
    changed: dict[str, Any] = {**arrays, "plane": np.array([print], object)}
    np.savez(path, **changed)
    assert "'|O'" in refused(path)


def rewritten(path: Path, name: str, data: bytes, compression: int = zipfile.ZIP_STORED) -> None:
    """Replace the bytes of an array's file."""
    with zipfile.ZipFile(path) as archive:
        held = {item: archive.read(item) for item in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for item, old in {**held, name: data}.items():
            archive.writestr(item, old)


def test_no_room_is_made_for_what_is_claimed(path: Path) -> None:
    """No memory is reserved for a shape beyond the bytes, or for a small file that expands."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (2**60, 2)}
    )
    rewritten(path, "vertices.npy", buffer.getvalue())
    assert "expected vertices of shape (1152921504606846976, 2), got 0 bytes" in refused(path)
    rewritten(path, "vertices.npy", bytes(2**24), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    assert "compressed" in refused(path)


@pytest.mark.parametrize(
    "data", [b"", b"\x93NUMPY", b"\x93NUMPY\x09\x00" + bytes(99), b"\x93NUMPY\x01\x00\xff\xff" * 9]
)
def test_headers_that_are_none_are_refused(data: bytes, path: Path) -> None:
    """Headers that are no header of an array are refused."""
    rewritten(path, "edges.npy", data)
    assert "expected edges as NumPy writes it" in refused(path)


def test_no_file_and_a_folder_are_named(tmp_path: Path) -> None:
    """A missing file, a folder and a foreign file are named in the error."""
    assert "No such file" in refused(tmp_path / "none.npz")
    assert "Give a file that Partition.save wrote" in refused(tmp_path)
    (tmp_path / "text").write_text("no archive")
    assert "File is not a zip file" in refused(tmp_path / "text")

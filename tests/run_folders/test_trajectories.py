"""A trajectory without this network's weights is refused with the byte."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence

import pytest

import bitfold
from bitfold.errors import TrajectoryError
from tests.run_folders.stranger_runs import Call, Place

COMMANDS = (
    ["resume", "--epochs", "6"],
    ["render"],
    ["report"],
    ["polytopes", "--epoch", "2", "-o", "a.npz"],
)


def header(change: Callable[[list[list[object]]], object]) -> Callable[[list[bytes]], list[bytes]]:
    """Return a change of the names and shapes."""

    def changed(blocks: list[bytes]) -> list[bytes]:
        tensors = json.loads(blocks[0])["tensors"]
        change(tensors)
        return [json.dumps({"tensors": tensors}).encode(), *blocks[1:]]

    return changed


def tensor(name: object, shape: object) -> Callable[[list[bytes]], list[bytes]]:
    """Return a change of the first tensor."""
    return header(lambda tensors: tensors.__setitem__(0, [name, shape]))


#: Changes of the blocks, and their errors; the network's first tensor is 4 x 2.
WRONG_HEADERS: dict[str, tuple[Callable[[list[bytes]], Sequence[bytes]], str]] = {
    "zero": (tensor("layers.0.weight", [0]), "in its header at byte 0, got layers.0.weight of sha"),
    "other shape": (tensor("layers.0.weight", [2, 4]), "got layers.0.weight of shape (2, 4)"),
    "70 dimensions": (tensor("layers.0.weight", [1] * 70), "byte 0 is damaged (expected the name"),
    "infinity": (tensor("layers.0.weight", [float("inf")]), "byte 0 is damaged (Infinity is no"),
    "huge": (tensor("layers.0.weight", [2**62, 4]), "byte 0 is damaged (expected the name and"),
    "truth": (tensor("layers.0.weight", [True, True]), "byte 0 is damaged (expected the name and"),
    "negative": (tensor("layers.0.weight", [-2, -4]), "byte 0 is damaged (expected the name and"),
    "number": (tensor(7, [4, 2]), "byte 0 is damaged (expected the name and"),
    "foreign": (tensor("evil", [4, 2]), "expected layers.0.weight of shape (4, 2) in its header"),
    "escapes": (tensor("\x1b[2J\a", [4, 2]), r"got \x1b[2J\x07 of shape (4, 2)"),
    "long": (tensor("a" * 5000, [4, 2]), f"got {'a' * 100} of shape (4, 2)"),
    "one less": (header(lambda tensors: tensors.pop()), "got no further tensor"),
    "one more": (header(lambda tensors: tensors.append(["more", [1]])), "expected no further"),
    "deep": (lambda blocks: [b"[" * 10**5, *blocks[1:]], "byte 0 is damaged (it is nested too"),
    "text": (lambda blocks: [b"hello", *blocks[1:]], "header at byte 0 is damaged"),
    "a list": (lambda blocks: [b"[]", *blocks[1:]], "header at byte 0 is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_HEADERS)
def test_another_networks_header_is_refused(name: str, place: Place, call: Call) -> None:
    """The error names the first different tensor and the expected one."""
    change, expected = WRONG_HEADERS[name]
    place.rewrite_trajectory(change)
    said = call("render", place.run)
    assert said.is_refused(), said
    assert expected in said.err, said.err
    assert place.is_untouched()


def record(facts: bytes, epoch: int = 2) -> Callable[[list[bytes]], list[bytes]]:
    """Return a change of the second of the three records."""

    def changed(blocks: list[bytes]) -> list[bytes]:
        length = struct.unpack_from("<qI", blocks[2])[1]
        weights = blocks[2][12 + length :]
        payload = struct.pack("<qI", epoch, len(facts)) + facts + weights
        return [*blocks[:2], payload, *blocks[3:]]

    return changed


WRONG_RECORDS: dict[str, tuple[Callable[[list[bytes]], Sequence[bytes]], str]] = {
    "deep": (record(b'{"a":' * 10**5), "it is nested too deeply"),
    "text": (record(b'{"task_loss": "low"}'), "expected a number or null as task_loss, got 'low'"),
    "integer": (record(b'{"task_loss": ' + b"9" * 400 + b"}"), "got a longer integer"),
    "infinity": (record(b'{"task_loss": Infinity}'), "Infinity is no number of JSON"),
    "list": (record(b"[1, 2]"), "expected an object, got a list"),
    "epoch": (record(b"{}", -1), "expected an epoch of 0 to 1,000,000,000, got -1"),
    "far epoch": (record(b"{}", 2**62), "expected an epoch of 0 to 1,000,000,000, got 4611686"),
    "weights": (lambda blocks: [*blocks[:2], blocks[2][:-4]], "bytes of weights"),
}


@pytest.mark.parametrize("name", WRONG_RECORDS)
def test_a_record_that_is_none_is_refused(name: str, place: Place, call: Call) -> None:
    """A bad record is refused with the byte at which it begins."""
    change, expected = WRONG_RECORDS[name]
    blocks: list[bytes] = []
    place.rewrite_trajectory(lambda found: blocks.extend(found) or change(found))  # type: ignore[func-returns-value] # it remembers them too
    said = call("render", place.run)
    assert said.is_refused(), said
    at = 8 + sum(len(block) + 8 for block in blocks[:2])
    assert f"its record at byte {at:,} does not fit its header (" in said.err
    assert expected in said.err, said.err
    assert place.is_untouched()


@pytest.mark.parametrize("words", COMMANDS)
def test_all_commands_refuse_it(words: list[str], place: Place, call: Call) -> None:
    """Commands that draw, measure and continue all refuse a bad trajectory."""
    place.rewrite_trajectory(WRONG_HEADERS["foreign"][0])
    before = place.files()
    said = call(words[0], place.run, *words[1:])
    assert said.is_refused(), said
    assert "expected layers.0.weight of shape (4, 2)" in said.err or "another network's" in said.err
    assert place.is_untouched()
    assert place.files()["trajectory.bin"] == before["trajectory.bin"]


def test_a_block_larger_than_any_record_costs_no_memory(place: Place) -> None:
    """A block larger than the network's largest record is refused by its size, unread."""
    path = place.run / "trajectory.bin"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size)
        file.write(struct.pack("<I", 2**31))
        file.truncate(2**32)
    with pytest.raises(TrajectoryError, match=rf"in the block at byte {size:,}, got 2,147,483,648"):
        bitfold.load_run(place.run).frame_epochs()

"""Checkpoints: whole or absent, with checked bytes, and few kept."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from bitfold.errors import CheckpointError
from bitfold.training.store.checkpoints import (
    Checkpoint,
    checkpoint_path,
    checkpoint_paths,
    delete_later_checkpoints,
    read_checkpoint,
    read_checkpoints,
    write_checkpoint,
)


def checkpoint(epoch: int, loss: float | None = 1.0) -> Checkpoint:
    """Return an invented state of a training."""
    generator = torch.Generator().manual_seed(epoch)
    tensors = {
        "network.weight": torch.randn(3, 2, generator=generator).t(),
        "optimizer.step": torch.tensor(float(epoch)),
        "split.training": torch.arange(4),
        "random.order": generator.get_state()[:16],
        "empty": torch.zeros(0, 3, dtype=torch.float64),
    }
    return Checkpoint(epoch, tensors, {"config": 'target = "é"', "validation_loss": loss})


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    """Every tensor comes back in its dtype and shape, and every fact too."""
    wanted = checkpoint(3)
    found = read_checkpoint(write_checkpoint(tmp_path / "new", wanted))
    assert (found.epoch, found.facts) == (3, wanted.facts)
    assert found.tensors.keys() == wanted.tensors.keys()
    for name, tensor in wanted.tensors.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert torch.equal(found.tensors[name], tensor)
    assert found.within("optimizer").keys() == {"step"}


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """A file cut anywhere is refused in one line that names the file."""
    path = write_checkpoint(tmp_path, checkpoint(1))
    whole = path.read_bytes()
    for end in range(0, len(whole), 3):
        path.write_bytes(whole[:end])
        with pytest.raises(CheckpointError, match=path.name) as caught:
            read_checkpoint(path)
        assert "\n" not in str(caught.value)


def test_every_flipped_bit_is_detected(tmp_path: Path) -> None:
    """A checkpoint with any flipped bit is refused."""
    path = write_checkpoint(tmp_path, checkpoint(1))
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            read_checkpoint(path)


def test_the_last_three_and_the_best_are_kept(tmp_path: Path) -> None:
    """The last three and the one with the lowest validation loss are kept."""
    for epoch, loss in enumerate([5.0, 4.0, 1.0, 3.0, 2.0, math.nan, 7.0, 1.5]):
        write_checkpoint(tmp_path, checkpoint(epoch, None if epoch == 0 else loss))
    assert [path.name[-13:-12] for path in checkpoint_paths(tmp_path)] == ["2", "5", "6", "7"]


@pytest.mark.parametrize("loss", [None, math.nan, 0.5])
def test_equal_ones_do_not_pile_up(tmp_path: Path, loss: float | None) -> None:
    """A constant or NaN loss keeps one best checkpoint and not all."""
    for epoch in range(9):
        write_checkpoint(tmp_path, checkpoint(epoch, loss))
    assert len(checkpoint_paths(tmp_path)) == 4


def test_the_newest_whole_one_is_found_and_damaged_ones_named(tmp_path: Path) -> None:
    """The newest whole checkpoint is found, with a line for each damaged newer one."""
    paths = [write_checkpoint(tmp_path, checkpoint(epoch)) for epoch in (1, 2, 3, 4)]
    paths[3].write_bytes(paths[3].read_bytes()[:100])
    paths[2].write_bytes(paths[2].read_bytes().replace(b"F32", b"F64"))
    *damaged, newest, oldest = read_checkpoints(tmp_path)
    for path, error in zip(paths[3:1:-1], damaged, strict=True):
        assert isinstance(error, CheckpointError)
        assert path.name in str(error)
    assert isinstance(newest, Checkpoint)
    assert isinstance(oldest, Checkpoint)
    assert (newest.epoch, oldest.epoch) == (2, 1)


def test_an_empty_or_missing_folder_has_none(tmp_path: Path) -> None:
    """An empty or missing folder has no checkpoint and gives no line."""
    assert list(read_checkpoints(tmp_path)) == []
    assert list(read_checkpoints(tmp_path / "nowhere")) == []


def test_later_ones_and_leftovers_are_deleted(tmp_path: Path) -> None:
    """A continued run deletes checkpoints of later epochs and leftovers, and keeps other files."""
    for epoch in (1, 2, 3):
        write_checkpoint(tmp_path, checkpoint(epoch))
    others = [tmp_path / "epoch-best.safetensors", tmp_path / "notes.txt"]
    for path in (*others, tmp_path / "epoch-000000004.safetensors.tmp"):
        path.write_bytes(b"")
    delete_later_checkpoints(tmp_path, 1)
    assert sorted(tmp_path.iterdir()) == sorted([checkpoint_path(tmp_path, 1), *others])


def test_they_are_in_the_order_of_their_epochs(tmp_path: Path) -> None:
    """Checkpoints are ordered by epoch, also for epochs with more digits than usual."""
    for epoch in (10**9, 10**9 - 1, 5):
        checkpoint_path(tmp_path, epoch).write_bytes(b"")
    order = [checkpoint_path(tmp_path, epoch) for epoch in (5, 10**9 - 1, 10**9)]
    assert checkpoint_paths(tmp_path) == order

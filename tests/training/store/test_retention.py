"""Older checkpoints: some seconds of training apart, within a budget of disk space."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from bitfold.training.store.checkpoints import checkpoint_epoch, checkpoint_paths, write_checkpoint
from bitfold.training.store.retention import SPACING_SECONDS, Retention
from tests.training.store.test_checkpoints import checkpoint


def taken(budget_bytes: int, num_epochs: int, seconds: float = 1.0) -> list[int]:
    """Return the kept epochs of a run that writes 100 bytes for each checkpoint."""
    retention = Retention(budget_bytes, {})
    for epoch in range(num_epochs):
        retention.trained(seconds)
        if retention.is_due or epoch == 0:
            retention.take(epoch, 100)
    return [epoch for epoch in range(num_epochs) if retention.keeps(epoch)]


def test_within_the_budget_no_epoch_is_farther_than_the_spacing() -> None:
    """Within the budget, kept epochs are at most the spacing apart, for epochs of any length."""
    for seconds in (0.01, 0.7, 1.0, 4.9, 30.0):
        epochs = taken(10**9, 300, seconds)
        gaps = [seconds * (later - earlier) for earlier, later in pairwise(epochs)]
        assert max(gaps, default=0.0) <= SPACING_SECONDS + seconds


def test_beyond_the_budget_they_are_thinned_by_their_age() -> None:
    """Beyond the budget the first and the newest stay, and gaps grow with age."""
    epochs = taken(4000, 10_000)
    assert len(epochs) == 40
    assert (epochs[0], epochs[-1]) == (0, 9995)
    ages = np.array([9999 - epoch for epoch in epochs[1:-1]])
    gaps = np.diff(epochs)[:-1]
    assert (gaps <= np.maximum(2 * SPACING_SECONDS, 0.7 * ages)).all()
    assert np.median(gaps[:5]) > 10 * np.median(gaps[-5:])


def test_without_a_budget_none_stays() -> None:
    """Without a budget no older checkpoint is due or kept."""
    assert taken(0, 50) == []


def test_a_disk_that_refuses_is_not_asked_at_every_epoch() -> None:
    """If the disk refuses a checkpoint, the next one is due after the usual time."""
    retention = Retention(1000, {})
    retention.trained(6.0)
    assert retention.is_due
    retention.postpone()
    retention.trained(4.0)
    assert not retention.is_due


def test_chosen_files_stay_beside_the_last_three_and_the_best(tmp_path: Path) -> None:
    """Chosen files stay beside the last three and the best, also when a run is opened again."""
    retention = Retention(10**6, {})
    for epoch in range(20):
        retention.trained(SPACING_SECONDS / 4)
        write_checkpoint(tmp_path, checkpoint(epoch, float(20 - epoch)), retention)
    found = [checkpoint_epoch(path) for path in checkpoint_paths(tmp_path)]
    assert found == [0, 4, 8, 12, 16, 17, 18, 19]
    sizes = {checkpoint_epoch(p): p.stat().st_size for p in checkpoint_paths(tmp_path)}
    again = Retention(10**6, sizes)
    for epoch in range(20, 24):
        write_checkpoint(tmp_path, checkpoint(epoch, 0.5), again)
    assert [checkpoint_epoch(p) for p in checkpoint_paths(tmp_path)][: len(found)] == found

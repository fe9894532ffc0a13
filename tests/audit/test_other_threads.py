"""An audit in one thread leaves alone the modules that other threads train."""

from __future__ import annotations

import threading

import torch
from torch import nn

from bitfold.audit.snapshot import Snapshot


def test_modules_that_another_thread_calls_are_not_put_back() -> None:
    """The audit restores modules that its thread calls, and none that another thread calls."""
    own, others = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    points = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    snapshot = Snapshot([])
    with snapshot.watching():
        own(points)
        thread = threading.Thread(target=others, args=(points,))
        thread.start()
        thread.join()
    snapshot.restore()
    assert int(own.num_batches_tracked or 0) == 0
    assert int(others.num_batches_tracked or 0) == 1

"""Tests of a search's progress reports and time limit."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from bitfold.errors import PolytopeError
from bitfold.polytopes import SearchProgress, partition
from bitfold.polytopes.cutting.search_watch import SearchWatch
from tests.polytopes.dense_networks import WIDE, dense


def branched() -> nn.Module:
    """Return a network that is no plain chain, so that the search follows each operation."""

    class Branched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second = nn.Linear(2, 8), nn.Linear(8, 8)
            self.last = nn.Linear(8, 2)

        def forward(self, points: torch.Tensor) -> torch.Tensor:
            hidden = torch.relu(self.first(points))
            outputs: torch.Tensor = self.last(hidden + torch.relu(self.second(hidden)))
            return outputs

    return Branched().eval()


@pytest.mark.parametrize("with_outputs", [False, True])
def test_progress_goes_to_the_end(with_outputs: bool) -> None:
    """The last progress report counts all operations and all polytopes."""
    seen: list[SearchProgress] = []
    found = partition(branched(), WIDE, progress=seen.append, with_outputs=with_outputs)
    assert seen[-1].num_done == seen[-1].num_operations
    assert seen[-1].num_polytopes == found.num_polytopes
    assert seen[-1].seconds_left == 0
    done = [one.num_done for one in seen]
    assert done == sorted(done)
    assert [one.num_polytopes for one in seen] == sorted(one.num_polytopes for one in seen)


def test_a_chain_reports_too() -> None:
    """A plain chain, whose layers are cut in one call, reports when they are done."""
    seen: list[SearchProgress] = []
    torch.manual_seed(0)
    partition(dense([6, 6], nn.ReLU), WIDE, progress=seen.append, with_outputs=True)
    assert seen
    assert seen[-1].num_done == seen[-1].num_operations


def test_the_limit_of_time_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit raises one line with the progress so far, and the same search works later."""
    threads = torch.get_num_threads()
    clock = iter(range(0, 10_000, 10))
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: float(next(clock)))
        with pytest.raises(PolytopeError, match=r"at most 5 seconds, got 10\.0 after \d+ of \d+"):
            partition(branched(), WIDE, max_seconds=5)
    assert torch.get_num_threads() == threads
    assert partition(branched(), WIDE, max_seconds=1e6).num_polytopes > 1


def test_one_long_operation_does_not_raise_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow first operation does not count: the other 80, at 0.1 s each, take 8 s."""
    clock = iter([0.0, 4.0, 4.1, 27.0, 27.1, 27.2])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    seen: list[SearchProgress] = []
    watch = SearchWatch(seen.append, None)
    for number in range(1, 6):
        watch.has_done(number, 85, 100)
    assert seen[-1].seconds_left == pytest.approx(8.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_limit_that_cannot_be_kept_is_refused(seconds: float) -> None:
    """A limit of time that is not above 0 is refused."""
    with pytest.raises(PolytopeError, match="expected max_seconds above 0"):
        partition(branched(), WIDE, max_seconds=seconds)

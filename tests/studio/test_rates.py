"""The benchmark of partitions a second: each round measures the same state of the same run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.studio import rates


class Studio:
    """A studio whose processes take one second of processor time between two questions."""

    def __init__(self, number: int) -> None:
        self.number, self._seconds = number, itertools.count()

    def processor_seconds(self, _: str) -> float:
        """Return the time of one of its two processes."""
        return next(self._seconds) / 4


class Client:
    """A client that gets two partitions, one of them twice."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def look(self) -> None:
        """Ask for the picture."""

    def hear(self, kind: str) -> None:
        """Wait for a message."""
        assert kind == "partition"

    def messages(self, until: float) -> Iterator[Any]:
        """Yield what is sent."""
        del until
        for epoch in (8, 8, 9):
            facts = {"epoch": epoch, "num_polytopes": 100 * epoch}
            yield SimpleNamespace(kind="partition", facts=facts)
        yield SimpleNamespace(kind="moment", facts={})


def test_each_round_begins_at_the_same_epoch_of_a_new_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was measured before, a round starts a studio of its own and trains to one epoch.

    A partition grows while its network trains. Rounds of one run, one after the other, would each
    cut a larger one, and the rate would tell how long was measured before.
    """
    served: list[str] = []
    waited: list[tuple[int, int]] = []

    @contextmanager
    def serving(*, shape: str) -> Iterator[Studio]:
        served.append(shape)
        yield Studio(len(served))

    monkeypatch.setattr(rates, "serving", serving)
    monkeypatch.setattr(rates, "Client", Client)
    monkeypatch.setattr(
        rates, "wait_for_epoch", lambda studio, epoch: waited.append((studio.number, epoch))
    )
    found = rates.partitions_a_second("[5]", 7, 1.0, 3)
    assert served == ["[5]"] * 3
    assert waited == [(1, 7), (2, 7), (3, 7)]
    assert found.by_processor.median == 2.0
    assert found.num_polytopes == 850

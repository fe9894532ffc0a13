"""How often a page gets a new partition, and how much a page slows training."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from benchmarks.harness.timing import Spread
from benchmarks.studio.serving import Client, Serving, epoch_of, serving, wait_for_epoch

SMALL, LARGE = "[10]*8", "[100]*5"
# Epochs of [10]*8 after which loops are compiled and folds are in place.
_WARM_EPOCHS = 300


@dataclass(frozen=True)
class Cutting:
    """How often a client gets a new exact partition while a network trains.

    Args:
        by_wall: partitions in a second of wall time.
        by_processor: partitions in a second of the processor time of the server and the cutter, who
            share a core where the trainer has the other.
        num_polytopes: of these partitions, in the mean.
    """

    by_wall: Spread
    by_processor: Spread
    num_polytopes: int


def partitions_a_second(shape: str, epoch: int, seconds: float, rounds: int) -> Cutting:
    """Measure the partitions that a client gets from an epoch on.

    A partition of [100]*5 has 50,000 polytopes after 10 epochs and 115,000 after 300, and takes
    twice as long. So each round has a studio of its own and begins at the same epoch; otherwise the
    rate would depend on how long was measured before.
    """
    by_wall, by_processor, polytopes = [], [], []
    for _ in range(rounds):
        with serving(shape=shape) as studio:
            wait_for_epoch(studio, epoch)
            with Client(studio) as client:
                client.look()
                client.hear("partition")
                began, used = time.monotonic(), _cutting_seconds(studio)
                messages = client.messages(until=began + seconds)
                found = {m.facts["epoch"]: m.facts for m in messages if m.kind == "partition"}
                by_wall.append(len(found) / (time.monotonic() - began))
                by_processor.append(len(found) / max(_cutting_seconds(studio) - used, 1e-2))
                polytopes += [facts["num_polytopes"] for facts in found.values()]
    return Cutting(
        Spread.of(by_wall), Spread.of(by_processor), round(statistics.mean(polytopes or [0]))
    )


def _cutting_seconds(studio: Serving) -> float:
    return studio.processor_seconds("server") + studio.processor_seconds("cutter")


def share_of_epochs(seconds: float, rounds: int) -> tuple[Spread, Spread]:
    """Return the epochs a second with one client over those without a client.

    Returns:
        The ratio by wall time; and by the trainer's own processor time, which other programs of the
        machine hardly change.
    """
    by_wall, by_processor = [], []
    with serving(shape=SMALL) as studio:
        wait_for_epoch(studio, _WARM_EPOCHS)
        for number in range(rounds):
            order = (False, True) if number % 2 == 0 else (True, False)
            found = {has_client: _epoch_rates(studio, seconds, has_client) for has_client in order}
            by_wall.append(found[True][0] / found[False][0])
            by_processor.append(found[True][1] / found[False][1])
    return Spread.of(by_wall), Spread.of(by_processor)


def _epoch_rates(studio: Serving, seconds: float, has_client: bool) -> tuple[float, float]:
    """Return the epochs a second of wall time and of the trainer's processor time."""
    client = Client(studio) if has_client else None
    if client is not None:
        client.look()
        client.hear("partition")
    epoch, began = epoch_of(studio), time.monotonic()
    used = studio.processor_seconds("trainer")
    if client is None:
        time.sleep(seconds)
    else:
        for _ in client.messages(until=began + seconds):
            pass
    num_epochs = epoch_of(studio) - epoch
    wall = time.monotonic() - began
    if client is not None:
        with client:
            pass
    return num_epochs / wall, num_epochs / (studio.processor_seconds("trainer") - used)

"""How often a page gets a new partition, and how much a page slows training."""

from __future__ import annotations

import time

from benchmarks.harness.timing import Spread
from benchmarks.studio.serving import Client, Serving, epoch_of, serving, wait_for_epoch

SMALL, LARGE = "[10]*8", "[100]*5"
# Epochs to train before a measurement, so that loops are compiled and folds are in place.
_WARM_EPOCHS = {SMALL: 300, LARGE: 3}


def partitions_a_second(shape: str, seconds: float, rounds: int) -> tuple[Spread, Spread]:
    """Return the number of new exact partitions that a client gets in a second of training.

    Returns:
        The number in a second of wall time; and in a second of the processor time of the server and
        the cutter, who share a core where the trainer has the other.
    """
    by_wall, by_processor = [], []
    with serving(shape=shape) as studio:
        wait_for_epoch(studio, _WARM_EPOCHS[shape])
        with Client(studio) as client:
            client.look()
            client.hear("partition")
            for _ in range(rounds):
                began, used = time.monotonic(), _cutting_seconds(studio)
                found = client.messages(until=began + seconds)
                count = len({m.facts["epoch"] for m in found if m.kind == "partition"})
                by_wall.append(count / (time.monotonic() - began))
                by_processor.append(count / max(_cutting_seconds(studio) - used, 1e-2))
    return Spread.of(by_wall), Spread.of(by_processor)


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
        wait_for_epoch(studio, _WARM_EPOCHS[SMALL])
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

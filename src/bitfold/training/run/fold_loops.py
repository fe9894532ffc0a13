"""The loops that measure folds: whether they are compiled, and a process that compiles them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from bitfold.runtime.strangers.isolated_start import (
    give_way,
    isolated_command,
    own_group,
    why_alone,
)

_POLL_SECONDS = 0.1
_NICENESS = 5


class FoldLoops:
    """Has the loops that measure folds compiled by a process of low priority, if they are missing.

    Compiling in the trainer itself would hold up training for half a minute. Before these loops,
    the process compiles what the first epoch calls last; see `loop_compiler`.

    Args:
        path: the run's folder; the process measures the run's untrained network once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False

    def start(self) -> None:
        """Start the process, unless the loops are on disk or nothing can be kept there.

        Where no process can be started, the trainer compiles when it first measures folds.
        """
        self._is_ready = _are_on_disk() or not _can_be_kept() or bool(why_alone())
        if self._is_ready:
            return
        self._process = subprocess.Popen(
            isolated_command("bitfold.training.run.loop_compiler", str(self._path)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            **own_group(),
        )
        give_way(self._process.pid, _NICENESS)

    def are_ready(self) -> bool:
        """Whether folds can be measured at once. If the process failed, this process compiles."""
        if not self._is_ready and self._process is not None and self._process.poll() is not None:
            self._is_ready = True
        return self._is_ready

    def wait(self, is_stopping: Callable[[], bool] = lambda: False) -> None:
        """Wait until the loops are ready, or until training is asked to stop."""
        while not self.are_ready() and not is_stopping():
            assert self._process is not None
            try:
                self._process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue

    def close(self) -> None:
        """End the process if it still runs; what it has compiled stays on disk."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


def _are_on_disk() -> bool:
    """Whether the outermost loops, which are compiled last, are on disk."""
    # Imported late: they import Numba and declare loops.
    from bitfold.polytopes.cutting.loops.cut import cut  # noqa: PLC0415
    from bitfold.polytopes.cutting.loops.dense import cut_dense_layers  # noqa: PLC0415
    from bitfold.polytopes.cutting.loops.edges import describe, extend_rows  # noqa: PLC0415
    from bitfold.polytopes.measuring import measure_kernels  # noqa: PLC0415
    from bitfold.polytopes.subdivision.location_kernels import locate_points  # noqa: PLC0415
    from bitfold.runtime.compiling import is_stored  # noqa: PLC0415

    of_measures = (
        measure_kernels.distances_within_faces,
        measure_kernels.spread_pattern,
        measure_kernels.distances_to_segments,
    )
    of_cuts = (cut_dense_layers, cut, extend_rows, describe)
    return all(map(is_stored, (*of_cuts, locate_points, *of_measures)))


def _can_be_kept() -> bool:
    from bitfold.runtime.loop_cache.folders import loop_folders  # noqa: PLC0415 - imports Numba

    return loop_folders().writable() is not None

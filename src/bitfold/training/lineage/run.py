"""A run: what its folder holds, and the runs that can be made from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bitfold.runtime.display.figure_picture import FigurePicture
from bitfold.training.events import Listener
from bitfold.training.lineage.branch import branch
from bitfold.training.lineage.replay import replay
from bitfold.training.run.record import RunRecord


class Run(RunRecord):
    """One training and its folder."""

    def plot(self, what: str = "losses") -> FigurePicture:
        """Draw the metrics over the epochs.

        Args:
            what: ``losses``, ``gradients``, or ``folds`` beside the losses.

        Returns:
            A figure: a notebook shows it, and its ``save(path)`` writes it.

        Raises:
            RenderError: the run has none of these metrics, or ``what`` is unknown.
        """
        # Training never draws; a finished run does when it is asked to.
        from bitfold.render import draw_losses  # noqa: PLC0415 - see above

        return FigurePicture(draw_losses({self.path.name: self.metrics}, what=what))

    def branch(self, epoch: int, folder: str | Path, listeners: Sequence[Listener] = ()) -> Run:
        """Make a run that begins in exactly the state of this one at an epoch.

        Args:
            epoch: a finished epoch of this run, or 0.
            folder: of the new run; it must hold no run.
            listeners: called with the events of training up to the epoch.

        Returns:
            The new run. Without changes its continuation is that of this run, bit for bit, on the
            same machine with the same versions.

        Raises:
            RunError: the run has not finished the epoch, or the folder holds a run.
            CheckpointError: a file of the run is damaged.
        """
        return load_run(branch(self, epoch, folder, listeners))

    def replay(self, folder: str | Path, listeners: Sequence[Listener] = ()) -> Run:
        """Train this run again from its start, with the same changes at the same epochs.

        Args:
            folder: of the new run; it must hold no run.
            listeners: called with the events of training.

        Returns:
            The new run; its metrics equal this run's bit for bit, except for timings, on the same
            machine with the same versions and threads.

        Raises:
            RunError: the folder holds a run, or cannot be written.
        """
        return load_run(replay(self, folder, listeners))


def load_run(
    path: str | Path, *, checkpoint_dir: str | None = None, snapshot_dir: str | None = None
) -> Run:
    """Open the folder of a run.

    Args:
        path: the folder.
        checkpoint_dir: the setting of this name, for a run that keeps its checkpoints outside its
            folder: what ``config.toml`` says is not followed there, as it may be a stranger's.
        snapshot_dir: the same for the frames.

    Raises:
        RunError: the folder holds no run, or its changes are damaged.

    >>> load_run("nowhere")
    Traceback (most recent call last):
    bitfold.errors.RunError: Cannot open run nowhere: expected the folder of a run, got one without
    config.toml. Give a folder that training made, such as one in runs/.
    """
    return Run.open(path, checkpoint_dir=checkpoint_dir, snapshot_dir=snapshot_dir)

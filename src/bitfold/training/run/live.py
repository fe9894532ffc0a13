"""What a session trains: a learner and its observers, in the state after some epoch."""

from __future__ import annotations

from dataclasses import dataclass

from bitfold.targets import Split, Target
from bitfold.training.run.record import RunRecord
from bitfold.training.run.state import restore
from bitfold.training.step.learner import Learner
from bitfold.training.store.checkpoints import Checkpoint
from bitfold.training.watch.fold_monitor import fold_monitor_of
from bitfold.training.watch.oversight import Oversight, oversight_of


@dataclass(frozen=True, eq=False)
class Live:
    """A learner with its observers, and the record of the run that they belong to.

    Args:
        run: the record of the run, with the configuration of ``learner``.
        target: the picture or clip that is learned.
        split: its training and validation points.
        learner: holds all that training changes.
        oversight: the observers, with their histories.
    """

    run: RunRecord
    target: Target
    split: Split
    learner: Learner
    oversight: Oversight


def live_of(
    run: RunRecord,
    target: Target,
    split: Split,
    state: Checkpoint | None = None,
    *,
    same_points: bool = True,
) -> Live:
    """Make the learner and the observers of a run.

    Args:
        run: decides the configuration.
        target: the picture or clip to learn.
        split: its training and validation points.
        state: loaded into them; its configuration may be another. None for the start of the run.
        same_points: whether target and points are those of the state.

    Raises:
        ConfigError: this machine lacks the device, or settings contradict the target.
        CheckpointError: the state belongs to another network.
    """
    learner = Learner(run.config, target, split)
    folds = fold_monitor_of(run.config, target, split)
    oversight = oversight_of(run.config, folds)
    if state is not None:
        restore(state, learner, oversight, run.path, same_points=same_points)
    return Live(run, target, split, learner, oversight)

"""Training a run from its start to its end."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bitfold.training.config.configuration import Config
from bitfold.training.events import Listener
from bitfold.training.lineage.run import Run, load_run
from bitfold.training.session import Session
from bitfold.training.step.resources import limited_threads
from bitfold.training.time_budget import TimeBudget
from bitfold.training.watch.stop_request import stop_requests


def train(config: Config, listeners: Sequence[Listener] = (), *, overwrite: bool = False) -> Run:
    """Train a network as a configuration says, and return the run.

    The first interrupt ends training after the epoch in hand; the run can be continued.

    Args:
        config: the settings of the run.
        listeners: called with each event of `bitfold.training.events`, in order, in this thread.
            Without listeners nothing is drawn or printed; `bitfold.recording.Recorder` draws.
        overwrite: whether a run in ``config.output_dir`` may be deleted.

    Returns:
        The run; ``run.status`` tells how it ended.

    Raises:
        TargetError, SamplingError: the picture cannot be loaded, or is too small.
        ConfigError: this machine lacks the device, or settings contradict the picture.
        RunError: the folder holds a run, or cannot be written; no partial run is left behind.
    """
    start = time.monotonic()
    return train_to_the_end(Session(config, listeners, overwrite=overwrite), start)


def train_to_the_end(session: Session, start: float) -> Run:
    """Advance a session until training is over, and return its run.

    Args:
        session: a session that is about to be advanced.
        start: the monotonic time before it was made: ``minutes`` count from there.
    """
    budget = TimeBudget(session, start)
    with session, limited_threads(session.run.config.threads or 1):
        with stop_requests(session.request):
            while not session.is_over:
                next(session)
                budget.plan()
        # Signals act as before: a listener may take long to finish.
        for _ in session:
            pass
    return load_run(session.run.path, **session.run.places)

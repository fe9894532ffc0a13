"""How a trainer's session begins: as a new run, as a branch, or where a run stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bitfold.studio.budget import CHECKPOINT_MB
from bitfold.training import Config, Listener, Session, load_run


@dataclass(frozen=True)
class Beginning:
    """The first state of a session.

    Args:
        run: the folder of the run.
        settings: of a new run; None to continue one.
        parent: the folder of the run to branch from; None for no branch.
        epoch: of the parent.
    """

    run: str
    settings: Mapping[str, Any] | None = None
    parent: str | None = None
    epoch: int = 0

    def open(self, listeners: Sequence[Listener]) -> Session:
        """Open the session.

        Raises:
            BitfoldError: the run cannot be made, or not be continued.
        """
        if self.settings is not None:
            return Session(Config(**{**self.settings, "output_dir": self.run}), listeners)
        if self.parent is not None:
            load_run(self.parent).branch(self.epoch, self.run)
        session = Session.resume(self.run, listeners)
        if session.run.config.checkpoint_budget == 0 and not session.is_over:
            session.change(checkpoint_budget=CHECKPOINT_MB)
        return session

"""What trains the members of a sweep: an engine takes tasks, and reports their ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.member_run import MemberStopped, MemberTask

#: Seconds between two reports of a member that is being trained.
REPORT_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Advanced:
    """A member has trained an epoch; told a few times a second.

    Args:
        name: of the member.
        epoch: the last finished one.
        epochs: that it trains.
    """

    name: str
    epoch: int
    epochs: int


@dataclass(frozen=True)
class Finished:
    """A member has ended, or was stopped; its engine can take another one.

    Args:
        name: of the member.
        end: how it ended.
    """

    name: str
    end: MemberEnd | MemberStopped


Report = Advanced | Finished


class Engine(ABC):
    """Trains members, several at a time, where a subclass says.

    An engine knows nothing of the sweep: it takes the settings and the folder of a member, and
    reports its end. The folder is complete when the end is reported.

    Args:
        jobs: members at a time.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    @abstractmethod
    def start(self, task: MemberTask) -> None:
        """Begin to train a member; at most ``jobs`` may be under way."""

    @abstractmethod
    def reports(self, timeout_seconds: float) -> list[Report]:
        """Wait for reports, and return them; empty if there are none within the time."""

    @abstractmethod
    def stop(self, reason: str, exit_code: int) -> None:
        """Ask all members to end after the epoch in hand; they are reported as stopped."""

    @abstractmethod
    def close(self) -> None:
        """End what still runs, at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

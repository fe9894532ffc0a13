"""What a sweep tells its listeners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.plans.member import Member


@dataclass(frozen=True)
class SweepStarted:
    """A sweep is about to train its missing members.

    Args:
        path: its folder.
        num_members: of the sweep, or of the part that is trained here.
        num_missing: of these, that are to be trained.
        jobs: members at a time.
    """

    path: Path
    num_members: int
    num_missing: int
    jobs: int


@dataclass(frozen=True)
class MemberStarted:
    """A member is about to be trained, or trained further."""

    member: Member


@dataclass(frozen=True)
class MemberAdvanced:
    """A member has finished an epoch; told a few times a second.

    Args:
        member: the member.
        epoch: the last finished one.
        epochs: that it trains.
    """

    member: Member
    epoch: int
    epochs: int


@dataclass(frozen=True)
class MemberEnded:
    """A member has ended.

    Args:
        member: the member.
        end: how it ended.
    """

    member: Member
    end: MemberEnd


SweepEvent = SweepStarted | MemberStarted | MemberAdvanced | MemberEnded
SweepListener = Callable[[SweepEvent], None]

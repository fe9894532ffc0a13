"""Which engine trains the members of a sweep."""

from __future__ import annotations

import pytest

from bitfold.experiments.sweeps.engines.choice import EngineChoice
from bitfold.experiments.sweeps.engines.engine import Engine
from bitfold.experiments.sweeps.engines.processes import ProcessEngine
from bitfold.experiments.sweeps.engines.threads import ThreadEngine
from tests.experiments.sweeps.sweep_runs import CONFIG


@pytest.mark.parametrize(
    ("jobs", "num_members", "isolate", "settings", "expected"),
    [
        (1, 4, False, {}, ThreadEngine),
        (2, 1, False, {}, ThreadEngine),
        (2, 4, False, {}, ProcessEngine),
        (1, 4, True, {}, ProcessEngine),
        (1, 4, False, {"epoch_loop": "stepwise"}, ProcessEngine),
        (1, 4, False, {"threads": 2}, ProcessEngine),
    ],
)
def test_one_member_at_a_time_needs_no_process(
    jobs: int, num_members: int, isolate: bool, settings: dict[str, int], expected: type[Engine]
) -> None:
    """Members side by side have processes; one at a time has a thread, if its epochs are calls."""
    configs = [CONFIG.replace(**{"threads": 1, **settings})] * num_members
    with EngineChoice(jobs, isolate).engine(configs) as engine:
        assert type(engine) is expected
        assert engine.jobs == min(jobs, num_members)

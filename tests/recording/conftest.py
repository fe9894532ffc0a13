"""Small runs that are trained once for all tests of this folder."""

import pytest

from bitfold.training import Run, train
from tests.recording.tiny_runs import tiny


@pytest.fixture(scope="session")
def ring_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train on a grey ring with K; the run has frames at epochs 0, 2, 4 and 6."""
    return train(tiny(tmp_path_factory.mktemp("ring") / "run", kolmogorov_weight=0.01))


@pytest.fixture(scope="session")
def classes_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train a classifier of the rgb ring."""
    return train(tiny(tmp_path_factory.mktemp("classes") / "run", target="rgb-ring"))

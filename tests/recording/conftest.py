"""Small runs, trained once for all tests of this folder."""

import pytest

from bitfold.training import Run, train
from tests.recording.tiny_runs import tiny


@pytest.fixture(scope="session")
def ring_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on a grey ring with K; frames at epochs 0, 2, 4, 6."""
    return train(tiny(tmp_path_factory.mktemp("ring") / "run", kolmogorov_weight=0.01))


@pytest.fixture(scope="session")
def classes_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A classification of the rgb ring."""
    return train(tiny(tmp_path_factory.mktemp("classes") / "run", target="rgb-ring"))

"""What ``import bitfold`` gives, and what it costs."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import bitfold

#: A contract: a name that goes away needs a note in the changelog.
NAMES = {
    "AuditError",
    "BitfoldError",
    "CheckpointError",
    "Config",
    "ConfigError",
    "GradientAudit",
    "KolmogorovError",
    "KolmogorovLoss",
    "ModelFileError",
    "PolytopeError",
    "PolytopeNet",
    "PredictorChoice",
    "RenderError",
    "Run",
    "RunError",
    "SamplingError",
    "ShapeError",
    "TargetError",
    "TrajectoryError",
    "WeightPredictor",
    "assert_gradients_reach",
    "audit_gradients",
    "bound",
    "choose_predictor",
    "load_partition",
    "load_run",
    "partition",
    "read_model",
    "resume",
    "train",
    "write_model",
}


def test_the_public_names_are_there_and_documented() -> None:
    """Each is a class or function with a docstring of its own."""
    assert set(bitfold.__all__) >= NAMES
    for name in bitfold.__all__:
        public = getattr(bitfold, name)
        assert inspect.isclass(public) or inspect.isfunction(public), name
        assert public.__doc__, name


def test_every_error_is_one_of_bitfolds() -> None:
    """So that one ``except`` catches all that bitfold raises on purpose."""
    for name in NAMES:
        if name.endswith("Error"):
            assert issubclass(getattr(bitfold, name), bitfold.BitfoldError)


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The packages that are loaded in a process that only imports bitfold."""
    code = "import json, sys, bitfold; print(json.dumps([m.split('.')[0] for m in sys.modules]))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return set(json.loads(found.stdout))


@pytest.mark.parametrize(
    "package",
    ["numba", "rich", "tensorboard", "matplotlib", "av", "scipy"],
)
def test_importing_is_light(loaded: set[str], package: str) -> None:
    """Neither drawing, nor video, nor a compiler is loaded by those who only train."""
    assert package not in loaded

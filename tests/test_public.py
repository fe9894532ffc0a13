"""The names that ``import bitfold`` gives, and the modules that it loads."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import bitfold

#: The public names are a contract: removing a name needs a note in the changelog.
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
    "compress",
    "fine_tune",
    "load_partition",
    "load_run",
    "partition",
    "read_model",
    "read_tensors",
    "resume",
    "train",
    "write_model",
}


def test_the_public_names_are_there_and_documented() -> None:
    """Each public name is a class or function with its own docstring."""
    assert set(bitfold.__all__) >= NAMES
    for name in bitfold.__all__:
        public = getattr(bitfold, name)
        assert inspect.isclass(public) or inspect.isfunction(public), name
        assert public.__doc__, name


def test_every_error_is_one_of_bitfolds() -> None:
    """Every error class derives from one base, so that one ``except`` catches all of them."""
    for name in NAMES:
        if name.endswith("Error"):
            assert issubclass(getattr(bitfold, name), bitfold.BitfoldError)


HEAVY = {"torch", "numpy", "numba", "scipy", "matplotlib", "av", "PIL", "rich", "jinja2"}


def test_importing_loads_nothing_heavy() -> None:
    """Importing bitfold loads no heavy package, so that help texts appear at once."""
    assert loaded_after("import bitfold") & (HEAVY | {"tensorboard"}) == set()


def test_training_loads_neither_pictures_nor_terminals() -> None:
    """Training loads no package for drawing, video, compiling or terminals."""
    loaded = loaded_after("from bitfold import Config, KolmogorovLoss, train")
    assert "torch" in loaded
    assert loaded & {"numba", "rich", "tensorboard", "matplotlib", "av", "scipy"} == set()


def loaded_after(code: str) -> set[str]:
    """The top packages that a new process has loaded after running some code."""
    code = f"{code}; import json, sys; print(json.dumps([m.split('.')[0] for m in sys.modules]))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return set(json.loads(found.stdout))


def test_training_loads_nothing_that_only_drawing_or_compiling_steps_need(tmp_path: Path) -> None:
    """A first training loads no module that only drawing or compiling a step needs."""
    code = (
        "import sys, bitfold; from bitfold.recording import Recorder; Recorder();"
        "bitfold.train(bitfold.Config(target='ring', size=8, shape='[3]', epochs=1,"
        f" measure_folds=0, kolmogorov_weight=0.01, output_dir={str(tmp_path / 'run')!r}));"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kept_out = {"torch._dynamo", "sympy", "matplotlib", "av", "PIL"}
    assert set(done.stdout.split()) & kept_out == set()

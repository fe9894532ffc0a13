"""An epoch's bits do not depend on which process compiled its loops."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_UPDATE = """
import numpy as np
from bitfold.training.whole_epoch.optimizers import kernels as k
from bitfold.training.whole_epoch.optimizers.muon_matrices import NO_MATRICES
random = np.random.default_rng(0)
for kind in (k.ADAM, k.ADAMW, k.SGD, k.RMSPROP):
    flat, gradient = random.standard_normal((2, 811)).astype(np.float32)
    moments, count = np.zeros((3, 811), np.float32), np.zeros(1)
    settings = np.array([kind, 1e-3, 0.1, 0.9, 0.99, 1e-8, 0.9, 1, 3.0, 1])
    for _ in range(5):
        k.update(flat, gradient, moments, count, settings, NO_MATRICES)
    print(flat.view(np.int32).tolist())
"""
_EPOCHS = """
from tests.training.whole_epoch.learners import learner_of
for settings in ({}, {"kolmogorov_weight": 0.1}, {"kolmogorov_quantise": "learned", "epochs": 40}):
    learner = learner_of("compiled", **settings)
    for epoch in range(1, 6):
        learner.run_epoch(epoch)
    print(learner.flat_weights().numpy().tobytes().hex())
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", [_UPDATE, _EPOCHS], ids=["update", "epochs"])
def test_a_first_compilation_gives_the_same_bits(tmp_path: Path, script: str) -> None:
    """A run that another process continues, with loaded loops, has the same bits."""
    place = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    compiling, loading = (
        subprocess.run(command, env=place, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    )
    assert any(tmp_path.rglob("*.nbi"))
    assert compiling == loading

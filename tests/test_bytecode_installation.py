"""An installation that holds bytecode alone, as bundles and closed images have it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bitfold
from tests.bytecode_copies import copy_as_bytecode

PROGRAM = """
import bitfold, torch
from bitfold.runtime.loop_cache.progress import compile_progress

compiled = []
with compile_progress(lambda count, known: compiled.append(count)):
    torch.manual_seed(0)
    network = bitfold.PolytopeNet(2, "[6]*2", 1)
    print(bitfold.partition(network.eval()))
    loss = bitfold.KolmogorovLoss(network)
    print(bitfold.audit_gradients({"K": lambda: loss().detach()}, {"network": network}))
    bitfold.write_model("net.bitfold", network, loss)
    print(bitfold.read_model("net.bitfold"))
print("compiled", max(compiled, default=0))
"""
SMALL = ("--size", "16", "--shape", "[4]", "--epochs", "2", "--save-interval", "1")


@pytest.mark.slow
def test_everything_works_without_sources(tmp_path: Path) -> None:
    """Folds, bits, files, audits, trainings and the drawing process need no source of bitfold."""
    copied = tmp_path / "site" / "bitfold"
    copied.parent.mkdir()
    copy_as_bytecode(Path(bitfold.__file__).parent, copied)
    assert not list(copied.rglob("*.py"))
    pixels = (np.indices((16, 16)).sum(0) % 7 * 40).astype("uint8")
    Image.fromarray(pixels).save(tmp_path / "picture.png")

    def call(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(copied.parent), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert call("-m", "bitfold", "--version").startswith("bitfold ")
    (tmp_path / "program.py").write_text(PROGRAM)
    first, second = call("program.py"), call("program.py")
    assert "program.py:11: Tensor.detach" in first
    assert "compiled 0" not in first
    assert "compiled 0" in second
    call("-m", "bitfold", "train", "ring", *SMALL, "--output-dir", "run")
    assert (tmp_path / "run" / "video.mp4").exists()
    name = "bitfold.cli.programs.draw_poly_while_training"
    call("-m", name, "--input", "picture.png", *SMALL[2:], "--output-dir", "drawn")
    assert list((tmp_path / "drawn").glob("*/video.mp4"))

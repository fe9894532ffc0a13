"""K of two replicas of a module, each divided between two processes (HSDP), against one process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.kolmogorov.sharded.test_sharded import ROOT, ROUNDING, distance

WORKER = Path(__file__).with_name("replicas_worker.py")
NUM_PROCESSES = 4


def test_replicas_of_shards_find_what_one_process_finds(tmp_path: Path) -> None:
    """K, gradients, bits, report, training and the file are those of one process, everywhere."""
    words = [sys.executable, "-W", "error", str(WORKER)]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    processes = [
        subprocess.Popen(
            [*words, str(rank), str(NUM_PROCESSES), str(tmp_path)],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
        )
        for rank in range(NUM_PROCESSES)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=400)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
    for rank in range(NUM_PROCESSES):
        found = torch.load(tmp_path / f"found-{rank}.pt")
        one, divided = found["one"], found["divided"]
        assert float(divided["K"]) == pytest.approx(float(one["K"]), rel=1e-12)
        assert distance(divided["gradients"], one["gradients"]) < 1e-12
        assert divided["bits"] == pytest.approx(one["bits"], rel=1e-12)
        assert (divided["report"], divided["file"]) == (one["report"], one["file"])
        assert divided["num_bytes"] == one["num_bytes"]
        assert divided["trained K"] == pytest.approx(one["trained K"], rel=1e-9)
        assert distance(divided["trained"], one["trained"]) < 1e-9
        assert float(found["K of divided"]["K"]) == pytest.approx(
            float(found["K of one"]["K"]), rel=ROUNDING
        )
        assert distance(found["K of divided"]["gradients"], found["K of one"]["gradients"]) < 1e-5
        assert distance(found["read"], found["read into one"]) == 0

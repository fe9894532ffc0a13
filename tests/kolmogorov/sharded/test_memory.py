"""The memory of writing and reading a large module, in one process and divided among two."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name("memory_worker.py")
ROOT = WORKER.parents[3]
#: Size of one of the worker's 10 tensors, in MB.
TENSOR = 2048**2 * 4 / 1e6


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a call")
@pytest.mark.parametrize("num_processes", [1, 2])
def test_one_tensor_at_a_time_is_held(num_processes: int, tmp_path: Path) -> None:
    """The first process needs at most 8 times the largest tensor; to read, beside the file."""
    # By default the allocator keeps up to 64 MB of free memory.
    kept = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(2**20))
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", str(WORKER), str(rank), str(num_processes), tmp_path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **kept},
            cwd=ROOT,
        )
        for rank in range(num_processes)
    ]
    answers = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0] * num_processes, answers
    written, read, size = map(float, answers[0][0].split())
    assert written < 8 * TENSOR
    assert read < 8 * TENSOR + 2 * size

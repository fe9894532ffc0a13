"""Memory that is kept for the next array."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from bitfold.runtime.memory.kept_memory import keep_freed_memory

if "keep" in sys.argv:
    assert keep_freed_memory()
for count in range(6):
    if count == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*arguments: str) -> int:
    """The pages that five arrays of 64 MiB touch anew, after a first one."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_the_next_array_gets_the_memory_of_the_last() -> None:
    """Arrays of 64 MiB, one after the other, take the same pages; otherwise new ones each time."""
    assert faults() > 100 * faults("keep")

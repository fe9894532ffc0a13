"""Tests of arrays whose references are not counted, and of the plain way."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numba import njit

from bitfold.runtime.borrowed_arrays import make_borrowed


@pytest.mark.parametrize("is_counted", [False, True])
def test_a_borrowed_array_is_the_same_memory(is_counted: bool) -> None:
    """A borrowed array shares memory with its array, also for views, borrowed or counted."""
    borrowed = make_borrowed(is_counted=is_counted)

    @njit
    def add_up(numbers: Any) -> Any:
        lent = borrowed(numbers)
        total = 0.0
        for row in range(lent.shape[0]):
            line = lent[row]
            for column in range(line.shape[0]):
                total += line[column]
            line[0] = -1.0
        return total

    numbers = np.arange(12.0).reshape(3, 4)
    assert add_up(numbers) == 66
    assert numbers[:, 0].tolist() == [-1, -1, -1]
    assert add_up(numbers) == 66 - 12 - 3


SCRIPT = """
import sys
import torch
from torch import nn
from bitfold.runtime import numba_internals
if "plain" in sys.argv:
    numba_internals.NEWEST_TESTED = (0, 0)
from bitfold.polytopes import partition
from bitfold.polytopes.cutting import exact
exact.announce_first_compile = lambda: None  # nothing is compiled
torch.manual_seed(0)
layers = [nn.Linear(2, 9), nn.ReLU(), nn.Linear(9, 6), nn.LeakyReLU(0.1), nn.Linear(6, 1)]
found = partition(nn.Sequential(*layers).double().eval(), ((-1, -1), (1, 1)))
print(found.num_polytopes, found.vertices.tobytes().hex(), found.edges.tobytes().hex())
"""


def test_a_partition_is_the_same_bit_for_bit_without_borrowed_arrays() -> None:
    """Interpreted, with counted arrays, the partition has the same bits, and one line says so."""
    plain = subprocess.run(
        [sys.executable, "-c", SCRIPT, "plain"],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    fast = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    )
    assert int(plain.stdout.split()[0]) > 10
    assert plain.stdout == fast.stdout
    assert plain.stderr.count("Cannot compile loops") == 1
    assert "Cannot use" not in fast.stderr

"""The loops use no memory that was freed: other contents of free memory change no bit."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from bitfold.entropy_coding.fixed_point.bins import bin_bits, read_bins, write_bins
from bitfold.entropy_coding.fixed_point.network import fixed_network
from bitfold.entropy_coding.streams import StreamReader, StreamWriter


def coded() -> tuple[bytes, str]:
    """Return numbers as written by a network with 256 bins, and their bits."""
    rng = np.random.default_rng(0)
    sizes = ((5, 3), (5,), (256, 5), (256,))
    network = fixed_network([rng.integers(-90, 90, size) for size in sizes], [190, 200, 190, 200])
    coordinates = rng.integers(0, 2**16, (40, 3))
    numbers = rng.integers(0, 256, 40)
    writer = StreamWriter()
    write_bins(writer, network, coordinates, numbers, 0)
    data = writer.stream()
    read = np.zeros_like(numbers)
    read_bins(StreamReader(data, 0), network, coordinates, read, 0)
    np.testing.assert_array_equal(read, numbers)
    return data, bin_bits(network, coordinates, numbers).sum().hex()


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc overwrites memory that is freed")
def test_freed_memory_that_is_overwritten_changes_nothing() -> None:
    """Where the allocator fills freed memory with other bytes, bits and files are the same."""
    code = f"from {__name__} import coded; data, bits = coded(); print(data.hex(), bits)"
    environment = {**os.environ, "MALLOC_PERTURB_": "165"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    data, bits = coded()
    assert found.stdout.split() == [data.hex(), bits]

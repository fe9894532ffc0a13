"""The bits of bins under a network in fixed point."""

import numpy as np
import torch

from bitfold.entropy_coding.fixed_point.bins import bin_bits
from bitfold.entropy_coding.fixed_point.network import fixed_network, layer_shapes


def test_threads_make_no_difference() -> None:
    """Weights counted by several threads take the same bits as weights counted one by one."""
    chance = np.random.default_rng(0)
    shapes = layer_shapes([3, 4, 16])
    network = fixed_network([chance.integers(-99, 99, shape) for shape in shapes], [150] * 4)
    places, bins = chance.integers(0, 2**16, (20_000, 3)), chance.integers(0, 16, 20_000)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        found = bin_bits(network, places, bins)
    finally:
        torch.set_num_threads(threads)
    some = np.arange(0, 20_000, 997)
    assert np.array_equal(found[some], bin_bits(network, places[some], bins[some]))

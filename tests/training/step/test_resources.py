"""Devices, threads and random numbers of a training."""

from __future__ import annotations

import os

import pytest
import torch

from bitfold.errors import ConfigError
from bitfold.targets import load_target
from bitfold.training import Config
from bitfold.training.step.resources import choose_threads, limited_threads, usable_device


@pytest.mark.parametrize("name", ["cuda:99", "meta", "toaster", ""])
def test_a_device_that_is_not_there_gets_one_line(name: str) -> None:
    """A missing device gives one line, for any PyTorch error of any number of lines."""
    with pytest.raises(ConfigError, match="Cannot use `device='") as caught:
        usable_device(name)
    assert "\n" not in str(caught.value)


def test_a_small_network_gets_one_thread() -> None:
    """A small network gets one thread, and leaves others for drawing, unless a number is given."""
    small = Config(size=32)
    target = load_target("ring", size=32)
    assert choose_threads(small, target) == 1
    assert choose_threads(small.replace(threads=3), target) == 3
    large = small.replace(shape="[1000]*5")
    assert choose_threads(large, target) == torch.get_num_threads()


def test_threads_are_no_more_than_processors_also_where_more_were_set() -> None:
    """A process that has set too many threads gets fewer within the block, and its own after it."""
    before, many = torch.get_num_threads(), 2 * (os.cpu_count() or 1)
    torch.set_num_threads(many)
    try:
        with limited_threads(many):
            assert torch.get_num_threads() == many // 2
        assert torch.get_num_threads() == many
    finally:
        torch.set_num_threads(before)

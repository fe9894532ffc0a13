"""Devices, threads and random numbers of a training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch

from bitfold.errors import ConfigError
from bitfold.networks import Encoding, count_parameters, parse_shape
from bitfold.targets import Target
from bitfold.training.config.configuration import Config

# Below this many multiplications per step, starting operations takes most of the time, which more
# threads do not shorten: the other threads are left for drawing.
_ONE_THREAD_WORK = 1e7


def random_stream(seed: int, purpose: str) -> torch.Generator:
    """Return a generator of random numbers for one purpose.

    Generators for different purposes are independent of each other.
    """
    entropy = [seed, *purpose.encode()]
    state = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(state >> 1)


def usable_device(name: str) -> torch.device:
    """Return a device by its name.

    Raises:
        ConfigError: this machine has no such device.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"Cannot use `device='{name}'`: {reason}. Try `device='cpu'`.") from None
    return device


@contextmanager
def limited_threads(number: int) -> Iterator[None]:
    """Let PyTorch use this number of threads while the block lasts, but no more than processors."""
    before = torch.get_num_threads()
    _set_threads(min(number, _num_processors()))
    try:
        yield
    finally:
        _set_threads(before)


@cache
def _num_processors() -> int:
    """Return the number of processors; to count them anew takes as long as a small layer."""
    return os.cpu_count() or 1


def _set_threads(number: int) -> None:
    """Set the number of threads, which takes a while also if it stays as it is."""
    if torch.get_num_threads() != number:
        torch.set_num_threads(number)


def choose_threads(config: Config, target: Target) -> int:
    """Return the configured number of threads, or one that suits the network's size."""
    if config.threads:
        return config.threads
    widths = parse_shape(config.shape)
    num_encoded = Encoding.parse(config.encoding).num_features(target.in_features)
    work = config.batch_size * count_parameters(num_encoded, widths, target.out_features)
    return 1 if work < _ONE_THREAD_WORK else torch.get_num_threads()

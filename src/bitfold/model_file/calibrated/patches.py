"""The inputs that a convolution multiplies its kernel with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

#: Places of a sample that are looked at, where a convolution has more: neighbours see nearly the
#: same, so that more of them tell little. Kernels of more than `MANY_INPUTS` inputs get fewer
#: places, as theirs take the most time.
MOST_PLACES, MOST_WIDE_PLACES, MANY_INPUTS = 16, 8, 256

Pair = int | Sequence[int]
"""A number for both sides of a picture, or one for each."""


def patches(
    inputs: Tensor,
    kernel: Sequence[int],
    spacing: tuple[Pair, Pair, Pair],
    random: torch.Generator,
) -> Tensor:
    """The inputs of a convolution in some of the places where its kernel lies.

    Args:
        inputs: (N, channels, height, width).
        kernel: its height and width.
        spacing: stride, padding and dilation.
        random: chooses `MOST_PLACES` places of each sample, one in each of as many parts, or
            `MOST_WIDE_PLACES`; all are taken if there are no more.

    Returns:
        (N * places, channels * kernel's height * kernel's width), in the order of the weights.
    """
    stride, padding, dilation = map(_both, spacing)
    (down, right), (tall, wide) = padding, kernel
    padded = functional.pad(inputs, (right, right, down, down)) if down or right else inputs
    samples, channels, *sides = padded.shape
    counts = [
        (side - dilated * (size - 1) - 1) // apart + 1
        for side, size, apart, dilated in zip(sides, kernel, stride, dilation, strict=True)
    ]
    of_sample, of_channel, *steps = padded.stride()
    apart = [step * size for step, size in zip(steps, stride, strict=True)]
    within = [step * size for step, size in zip(steps, dilation, strict=True)]
    every = padded.as_strided(
        (samples, *counts, channels, tall, wide), (of_sample, *apart, of_channel, *within)
    )
    places, size = counts[0] * counts[1], channels * tall * wide
    most = MOST_WIDE_PLACES if size > MANY_INPUTS else MOST_PLACES
    if places > most:
        chosen = _chosen(samples, places, most, random).to(inputs.device)
        rows = torch.arange(samples, device=inputs.device)[:, None]
        every = every[rows, chosen // counts[1], chosen % counts[1]]
    return every.reshape(-1, size)


def _both(given: Pair) -> tuple[int, int]:
    if isinstance(given, int):
        return given, given
    first, second = given if len(given) > 1 else (given[0], given[0])
    return first, second


def _chosen(samples: int, places: int, most: int, random: torch.Generator) -> Tensor:
    """Places of each sample: (samples, most)."""
    shares = torch.rand((samples, most), generator=random, device="cpu")
    found = ((torch.arange(most, device="cpu") + shares) * (places / most)).long()
    return found.clamp_(max=places - 1)

"""Pictures of digits for the examples: MNIST from its four files, or a stand-in drawn by code."""

import gzip
import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

SIDE = 28
MOST_PICTURES = 100_000

# Five columns by seven rows for each digit.
GLYPHS = """
01110 00100 01110 11111 00010 11111 00110 11111 01110 01110
10001 01100 10001 00010 00110 10000 01000 00001 10001 10001
10011 00100 00001 00100 01010 11110 10000 00010 10001 10001
10101 00100 00010 00010 10010 00001 11110 00100 01110 01111
11001 00100 00100 00001 11111 00001 10001 01000 10001 00001
10001 00100 01000 10001 00010 10001 10001 01000 10001 00010
01110 01110 11111 01110 00010 01110 01110 01000 01110 01100
"""


class Digits(NamedTuple):
    """Pictures (n, 1, 28, 28) with values 0 to 1, and what they show (n,), to learn and to test."""

    pictures: Tensor
    labels: Tensor
    test_pictures: Tensor
    test_labels: Tensor


def load_digits(mnist: Path | None, num_drawn: int = 4_000) -> Digits:
    """MNIST from a folder with its four .gz files, or drawn digits if there is none."""
    if mnist is None:
        generator = torch.Generator().manual_seed(0)
        return Digits(*draw_digits(num_drawn, generator), *draw_digits(1_000, generator))
    parts = []
    for part in ("train", "t10k"):
        parts.append(read_idx(mnist / f"{part}-images-idx3-ubyte.gz", (SIDE, SIDE)))
        parts.append(read_idx(mnist / f"{part}-labels-idx1-ubyte.gz", ()))
    pictures, labels, test_pictures, test_labels = parts
    return Digits(
        pictures.unsqueeze(1) / 255,
        labels.long(),
        test_pictures.unsqueeze(1) / 255,
        test_labels.long(),
    )


def read_idx(path: Path, shape: tuple[int, ...]) -> Tensor:
    """The bytes of an idx file as uint8 (n, *shape); refuses everything else."""
    with gzip.open(path) as file:
        header = file.read(4 * (2 + len(shape)))
        magic, count, *sides = (
            int.from_bytes(header[at : at + 4], "big") for at in range(0, 4 * (2 + len(shape)), 4)
        )
        if magic != 0x801 + len(shape) or tuple(sides) != shape or count > MOST_PICTURES:
            raise SystemExit(f"Cannot read {path}: expected an idx file of bytes {shape} each.")
        expected = count * math.prod(shape)
        # One byte more, so that a file that goes on is noticed without reading all of it.
        data = bytearray(file.read(expected + 1))
    if len(data) != expected:
        raise SystemExit(f"Cannot read {path}: expected {expected} bytes, got another number.")
    return torch.frombuffer(data, dtype=torch.uint8).view(count, *shape)


def draw_digits(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Digits turned, stretched, moved and made noisy at random."""
    rows = [line.split() for line in GLYPHS.split("\n") if line]
    glyphs = torch.tensor([[[float(p) for p in row[d]] for row in rows] for d in range(10)])
    labels = torch.randint(10, (count,), generator=generator)
    angle, stretch, right, down = torch.rand(4, count, generator=generator).sub(0.5) * torch.tensor(
        [[0.8], [0.6], [0.6], [0.4]]
    )
    zoom = 1.5 * stretch.exp()
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    affine = torch.stack([1.4 * cos, -1.4 * sin, right, sin, cos, down], 1).view(-1, 2, 3)
    grid = functional.affine_grid(affine, [count, 1, SIDE, SIDE], align_corners=False)
    pictures = functional.grid_sample(glyphs[labels, None], grid, align_corners=False)
    noise = torch.randn(pictures.shape, generator=generator)
    return (pictures + 0.2 * noise).clamp(0, 1), labels

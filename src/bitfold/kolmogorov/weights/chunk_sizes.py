"""Chunk sizes, by device."""

import torch

# Starting an operation costs an accelerator more than moving its memory. With 64 times as much, K
# of LeNet-300-100 is one chunk.
_TIMES_ON_ACCELERATORS = 64


def chunk_size(on_cpu: int, device: torch.device) -> int:
    """The number of weights in a chunk: the CPU's caches bound it there, elsewhere it is larger.

    Args:
        on_cpu: the number on the CPU.
        device: that computes.

    >>> chunk_size(1000, torch.device("cpu")), chunk_size(1000, torch.device("cuda"))
    (1000, 64000)
    """
    return on_cpu if device.type == "cpu" else on_cpu * _TIMES_ON_ACCELERATORS

"""How much is worked on at a time, by device."""

import torch

# An accelerator waits for each operation's start, not for its memory: at 64 times as much, K of
# LeNet-300-100 is in one piece.
_TIMES_ON_ACCELERATORS = 64


def chunk_size(on_cpu: int, device: torch.device) -> int:
    """How much to work on at a time: on the processor what its caches hold, elsewhere far more.

    Args:
        on_cpu: the number there.
        device: where the work is done.

    >>> chunk_size(1000, torch.device("cpu")), chunk_size(1000, torch.device("cuda"))
    (1000, 64000)
    """
    return on_cpu if device.type == "cpu" else on_cpu * _TIMES_ON_ACCELERATORS

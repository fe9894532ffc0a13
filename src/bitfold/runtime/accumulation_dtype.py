"""The type in which many numbers are added up."""

import torch


def accumulation_dtype(device: torch.device, otherwise: torch.dtype = torch.float32) -> torch.dtype:
    """float64 where the device has it, so that bins, counts and sums of bits do not round.

    Args:
        device: where the numbers are.
        otherwise: their own type, which stays on a device without float64.
    """
    return otherwise if device.type == "mps" else torch.float64

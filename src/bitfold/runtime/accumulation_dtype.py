"""The dtype in which many numbers are added up."""

import torch


def accumulation_dtype(device: torch.device, otherwise: torch.dtype = torch.float32) -> torch.dtype:
    """float64 where the device has it, so that bins, counts and sums of bits do not round.

    Args:
        device: of the numbers.
        otherwise: the dtype for devices without float64, such as the numbers' own.
    """
    return otherwise if device.type == "mps" else torch.float64

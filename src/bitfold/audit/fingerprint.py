"""Fingerprints: 64-bit numbers that differ if the values of two tensors differ."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

# Multipliers of SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, 2014), as signed integers.
_STEP = 0x9E3779B97F4A7C15 - 2**64
_MIX = 0xBF58476D1CE4E5B9 - 2**64
# Elements hashed at a time, so that temporary memory stays small for tensors of any size.
CHUNK = 2**18
_WIDTHS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Fingerprints:
    """Computes fingerprints of tensors on the tensors' own device.

    The bits of each element are multiplied by a pseudo-random odd number of the element's position,
    and the products are added modulo 2^64. A permutation therefore counts as a change.

    Example:
        >>> fingerprints = Fingerprints()
        >>> first, second = (fingerprints.of(torch.tensor(x)) for x in ([1.0, 2.0], [2.0, 1.0]))
        >>> first == second, first == fingerprints.of(torch.tensor([1.0, 2.0]))
        (False, True)
    """

    def __init__(self) -> None:
        self._multipliers: dict[torch.device, Tensor] = {}

    def of(self, tensor: Tensor) -> int:
        """Return the fingerprint of a tensor of any dtype, layout and device; 0.0 equals -0.0."""
        with torch.no_grad():
            plain = _strided(tensor)
            sums = [(part * self._multipliers_for(part)).sum() for part in _words(plain)]
            total = plain.numel()
            for number in torch.stack(sums).tolist() if sums else ():
                total = (total * _MIX + number) % 2**64
            return total

    def _multipliers_for(self, words: Tensor) -> Tensor:
        known = self._multipliers.get(words.device)
        if known is None:
            z = torch.arange(1, CHUNK + 1, device=words.device) * _STEP
            known = (z ^ (z >> 30)) * _MIX
            known = (known ^ (known >> 27)) | 1
            self._multipliers[words.device] = known
        return known[: len(words)]


def _strided(tensor: Tensor) -> Tensor:
    """The elements as one contiguous vector of real numbers, in order."""
    plain = tensor.detach()
    if plain.is_quantized:
        plain = plain.int_repr()
    if plain.layout != torch.strided:
        plain = plain.to_dense()
    if plain.is_complex():
        plain = torch.view_as_real(plain.resolve_conj())
    return plain.resolve_neg().contiguous().reshape(-1)


def _words(flat: Tensor) -> Iterator[Tensor]:
    """The bits of each element as an int64, in chunks of up to CHUNK."""
    for part in torch.split(flat, CHUNK):
        if not len(part):
            continue
        if part.dtype == torch.bool:
            yield part.to(torch.int64)
            continue
        values = part
        if part.is_floating_point():
            # float8 has no arithmetic. Adding 0.0 turns -0.0 into 0.0.
            values = (part.to(torch.float32) if part.element_size() == 1 else part) + 0.0
        yield values.view(_WIDTHS[values.element_size()]).to(torch.int64)


def of_plain(leaf: object) -> int | None:
    """Return the fingerprint of a number or array outside PyTorch; None for anything else."""
    if isinstance(leaf, np.ndarray):
        return zlib.crc32(np.ascontiguousarray(leaf).tobytes()) if leaf.dtype != object else None
    if isinstance(leaf, bool | int | float | complex | np.generic):
        return zlib.crc32(repr(complex(leaf)).encode()) if _is_number(leaf) else None
    return None


def _is_number(leaf: object) -> bool:
    return not isinstance(leaf, np.generic) or isinstance(leaf, np.number | np.bool_)

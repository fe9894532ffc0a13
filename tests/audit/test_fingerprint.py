"""Fingerprints of tensors, which change when a value changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bitfold.audit import fingerprint
from bitfold.audit.fingerprint import Fingerprints, of_plain

DTYPES = [
    *(torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.float8_e4m3fn),
    *(torch.complex64, torch.int64, torch.int32, torch.int16, torch.uint8, torch.bool),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_one_changed_element_changes_the_fingerprint(dtype: torch.dtype) -> None:
    """One changed element changes the fingerprint, at any position and in any dtype."""
    prints = Fingerprints()
    tensor = torch.zeros(3, 5, dtype=dtype)
    start = prints.of(tensor)
    assert prints.of(tensor.clone()) == start
    found = set()
    for place in range(tensor.numel()):
        other = tensor.clone()
        other.view(-1)[place] = 1
        found.add(prints.of(other))
    assert len(found | {start}) == tensor.numel() + 1


def test_order_matters_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Swapping two chunks changes the fingerprint."""
    monkeypatch.setattr(fingerprint, "CHUNK", 4)
    prints = Fingerprints()
    tensor = torch.arange(10.0)
    assert len({prints.of(tensor.roll(shift)) for shift in range(10)}) == 10


def test_layout_does_not_matter() -> None:
    """Neither the memory layout nor the sign of zero changes the fingerprint."""
    prints = Fingerprints()
    tensor = torch.arange(6.0).view(2, 3)
    assert prints.of(tensor.t().contiguous().t()) == prints.of(tensor)
    assert prints.of(tensor.to_sparse()) == prints.of(tensor)
    assert prints.of(torch.tensor([-0.0])) == prints.of(torch.tensor([0.0]))
    assert prints.of(torch.zeros(0)) == 0


def test_only_numbers_and_arrays_outside_pytorch_have_one() -> None:
    """Outside PyTorch only numbers and arrays have a fingerprint; equal numbers have equal ones."""
    assert of_plain(2) == of_plain(2.0) == of_plain(np.float32(2))
    assert of_plain(np.arange(3)) != of_plain(np.arange(3)[::-1])
    assert of_plain("2") is None
    assert of_plain(np.array([None])) is None

"""Each call reads the weights' present values, wherever they are in memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bitfold.polytopes.lowering import weight_reader
from bitfold.polytopes.lowering.weight_reader import WeightReader


def expected(weights: list[Tensor]) -> list[float]:
    """Return all numbers, one tensor after the other."""
    return torch.cat([weight.detach().double().reshape(-1) for weight in weights]).tolist()


@pytest.mark.parametrize("most_viewed", [0, 100])
def test_weights_are_read_as_they_are_now(
    most_viewed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader sees changes in place, a new tensor of a parameter, and a transposed one."""
    monkeypatch.setattr(weight_reader, "_MOST_VIEWED", most_viewed)
    reader, linear = WeightReader(), nn.Linear(3, 3)
    weights = [linear.weight, linear.bias]
    assert reader.read(weights).tolist() == expected(weights)
    with torch.no_grad():
        linear.weight.mul_(2)
    assert reader.read(weights).tolist() == expected(weights)
    linear.weight.data = torch.randn(3, 3)
    assert reader.read(weights).tolist() == expected(weights)
    linear.weight.data = linear.weight.data.t()
    assert reader.read(weights).tolist() == expected(weights)
    assert reader.read(weights).tolist() == expected(weights)
    other = [nn.Parameter(torch.randn(3, 3)), torch.randn(3)]
    assert reader.read(other).tolist() == expected(other)


def test_other_types_are_read_too() -> None:
    """Half precision, mixed dtypes and a module without weights are read."""
    reader = WeightReader()
    for weights in (
        [torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.bfloat16)],
        [torch.ones(2, dtype=torch.float16), torch.full((3,), 0.1)],
        [torch.full((3,), 0.1, dtype=torch.float64), torch.full((3,), 0.1)],
    ):
        for _ in range(2):
            assert reader.read(weights).tolist() == expected(weights)
    assert WeightReader().read([]).tolist() == []


def test_what_was_read_is_a_copy() -> None:
    """The result is a copy, which later changes of the weights do not reach."""
    weights = [torch.ones(2, dtype=torch.float64)]
    reader = WeightReader()
    for _ in range(2):
        found = reader.read(weights)
        weights[0] += 1
        assert found.tolist() == (weights[0] - 1).tolist()

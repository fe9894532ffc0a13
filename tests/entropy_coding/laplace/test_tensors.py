"""The bits of single numbers by the integer tables."""

import numpy as np
import pytest
import torch

from bitfold.entropy_coding.laplace.costs import coded_bits
from bitfold.entropy_coding.laplace.tables import integer_tables, table_bits
from bitfold.entropy_coding.laplace.tensors import (
    MOST_SYMBOLS,
    one_scale,
    put_tensor,
    tensor_bits,
)
from bitfold.entropy_coding.rans.symbols import symbol_bits


@pytest.mark.parametrize("distribution", ["laplace", "logistic"])
@pytest.mark.parametrize("scale", [-64, -20, 0, 24, 40, 41, 90, 128])
def test_each_distance_takes_the_bits_that_are_counted(distribution: str, scale: int) -> None:
    """For any distance, the coder's symbols take the bits that both counts give."""
    distances = np.array([0, 1, -1, 5, -40, 300, -70_000, 2**31 + 7, -(2**50)])
    for one in distances:
        given = np.array([one + 3])
        model = (3, one_scale(scale, 1), integer_tables(distribution))
        room = np.empty(2 * MOST_SYMBOLS, np.uint32)
        count, end = put_tensor(room, given, 0, model)
        assert end == 1
        assert count < MOST_SYMBOLS
        symbols = room[:count]
        bits = symbol_bits(symbols)
        cost = coded_bits(torch.tensor([one]), torch.tensor([scale]), distribution)
        assert bits == pytest.approx(float(cost.symbols + cost.escapes), abs=1e-9)
        assert bits == pytest.approx(tensor_bits(given, model, table_bits(distribution)), abs=1e-9)

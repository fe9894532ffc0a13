"""Tests of choosing the method of each tensor."""

import numpy as np
import torch
from torch import nn

from bitfold.entropy_coding.contexts.tensors import ContextWriter
from bitfold.entropy_coding.rans.symbols import symbol_bits
from bitfold.model_file.planning.grids import OnGrid
from bitfold.model_file.planning.methods import shortest_on_grids
from bitfold.model_file.syntax.grids import exception_bits
from bitfold.model_file.syntax.plan import CONTEXT, MIXED, Exceptions
from bitfold.model_file.syntax.structure import tensors_of

_EXCEPTIONS = Exceptions(np.array([3]), np.array([0.7], np.float32))


def _tables() -> list[torch.Tensor]:
    """Return two tables of whole numbers whose sizes differ by blocks, which no scale fits."""
    draws = torch.Generator().manual_seed(0)
    of_blocks = torch.rand(2, 16, 16, generator=draws).pow(8) * 1000
    sizes = of_blocks.repeat_interleave(2, 1).repeat_interleave(2, 2)
    large, small = (torch.randn(2, 32, 32, generator=draws) * sizes).round()
    return [large, small[:12, :12]]


def test_contexts_learn_nothing_from_tensors_of_mixed_predictions() -> None:
    """The bits by contexts are those after the tensors by contexts, without others before."""
    tables = _tables()
    items = [item for item, _ in tensors_of(nn.ParameterList(map(nn.Parameter, tables)))]
    grids = [OnGrid(table.reshape(-1).numpy().astype(np.int64), 1.0) for table in tables]
    # Mixed predictions take no exceptions.
    grids[1] = grids[1]._replace(exceptions=_EXCEPTIONS)
    (first, _), (second, bits) = shortest_on_grids(list(zip(items, grids, strict=True)))
    assert (first.method, second.method) == (MIXED, CONTEXT)
    symbols = ContextWriter().symbols(grids[1].numbers, items[1].box.in_memory)
    assert bits == sum(map(symbol_bits, symbols)) + exception_bits(_EXCEPTIONS)

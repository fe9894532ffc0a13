"""Tests of training loops with K in which the module is compiled, parametrised or in bfloat16."""

import copy
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.model_file import read_model, write_model


def network(parametrise: Callable[[Any], Any] = lambda layer: layer) -> Any:
    """Return a small classifier with a parametrised layer."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(20, 32), nn.ReLU(), parametrise(nn.Linear(32, 32)), nn.Linear(32, 3)
    )


LOOPS: dict[str, Callable[[], Any]] = {
    "plain": network,
    "compiled": lambda: torch.compile(network(), backend="eager"),
    "weight_norm": lambda: network(parametrizations.weight_norm),
    "spectral_norm": lambda: network(parametrizations.spectral_norm),
    "orthogonal": lambda: network(parametrizations.orthogonal),
}


# PyTorch's compiler reads the graph, and hides its warning if warnings are not errors.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("quantise", [None, "learned"])
@pytest.mark.parametrize("in_bfloat16", [False, True])
@pytest.mark.parametrize("name", LOOPS)
def test_the_loop_learns_and_the_file_is_what_it_learned(
    name: str, in_bfloat16: bool, quantise: str | None, tmp_path: Path
) -> None:
    """Task and K fall together; the file has the described length and decodes to those weights."""
    torch.compiler.reset()
    module = LOOPS[name]()
    loss = KolmogorovLoss(module, quantise=quantise)
    points = torch.randn(200, 20)
    classes = points[:, :3].argmax(1)
    optimizer = torch.optim.Adam([*module.parameters(), *loss.parameters()], lr=0.01)
    values = []
    for _ in range(40):
        block = nullcontext() if quantise is None else loss.quantised()
        with block, torch.autocast("cpu", torch.bfloat16, enabled=in_bfloat16):
            task = functional.cross_entropy(module(points), classes)
        total = task.float() + 0.05 * loss()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        values.append(total.item())
    assert values[-1] < 0.85 * values[0]
    num_bytes = write_model(tmp_path / "a.bitfold", module, loss)
    assert abs(num_bytes - loss.bits().total / 8) < 0.01 * num_bytes + 16
    other = read_model(tmp_path / "a.bitfold", into=copy.deepcopy(loss.table.module))
    decoded = loss.decoded_state()
    for key, item in other.state_dict().items():
        assert torch.equal(item, decoded[key]), key

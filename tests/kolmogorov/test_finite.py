"""Tests that K is finite for any finite weights, and that no step waits for the device."""

import math
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from bitfold.kolmogorov import KINDS, PREDICTORS, TARGETS, KolmogorovLoss
from bitfold.kolmogorov.grid import learned_range
from bitfold.kolmogorov.predictors import laplace_logistic as scale
from bitfold.kolmogorov.weights import weight_subset as subset
from tests.kolmogorov.narrowing import gradient_of

LARGEST = torch.finfo(torch.float32).max
DESCRIPTIONS = [
    *(("coordinate", kind) for kind in KINDS),
    *((name, None) for name in list(PREDICTORS)[1:]),
]

weights = st.one_of(
    st.floats(-4, 4, width=32),
    st.floats(-LARGEST, LARGEST, width=32),
    st.sampled_from([0.0, -0.0, 1e-45, 1e-38, -1e-20, 1e30, -LARGEST, 3.0, -3.0]),
)


NINE = st.lists(weights, min_size=9, max_size=9)


def fill(module: nn.Linear, values: list[float]) -> None:
    """Set six weights and three biases."""
    flat = torch.tensor(values, dtype=module.weight.dtype)
    with torch.no_grad():
        module.weight.copy_(flat[:6].view(3, 2))
        module.bias.copy_(flat[6:])


def check(module: nn.Module, loss: KolmogorovLoss) -> None:
    """Assert that K, its gradients, the bits and the decoded weights are finite."""
    value = loss()
    assert value.isfinite()
    if loss.targets.is_differentiable:
        value.backward()
        for item in [*module.parameters(), *loss.parameters()]:
            assert gradient_of(item).isfinite().all()
    assert math.isfinite(float(loss.bits()))
    assert loss.bits_tensor().isfinite()
    assert all(math.isfinite(row.bits) for row in loss.report().rows)
    assert 0 <= loss.num_out_of_range() <= loss.num_weights


@pytest.mark.parametrize("weight_range", ["auto", (-3.0, 3.0)])
@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize(("predictor", "kind"), DESCRIPTIONS)
def test_k_is_finite_for_finite_weights(
    predictor: Any, kind: Any, targets: Any, weight_range: Any
) -> None:
    """K, gradients, bits and decoded weights are finite for any finite weights."""

    @settings(max_examples=settings().max_examples // 5)
    @given(before=NINE, after=NINE, dtype=st.sampled_from([torch.float32, torch.float64]))
    @example(before=[0.0] * 9, after=[LARGEST] * 9, dtype=torch.float32)
    @example(before=[1e-45] * 9, after=[-LARGEST] * 9, dtype=torch.float32)
    @example(before=[LARGEST] * 9, after=[0.0] * 9, dtype=torch.float32)
    @example(before=[LARGEST] * 8 + [1e-45], after=[1e300] * 8 + [-1e300], dtype=torch.float64)
    def try_weights(before: Any, after: Any, dtype: Any) -> None:
        module = nn.Linear(2, 3, dtype=dtype)
        fill(module, before)
        loss = KolmogorovLoss(
            module,
            predictor=predictor,
            kind=kind,
            weight_range=weight_range,
            targets=targets,
            bins=16,
            generator=torch.Generator().manual_seed(0),
        )
        check(module, loss)
        module.zero_grad()
        fill(module, after)
        check(module, loss)

    try_weights()


class NoWaiting(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Refuses operations that copy between host and device."""

    REFUSED = frozenset(
        {"_local_scalar_dense", "nonzero", "is_nonzero", "lift_fresh", "masked_select", "_unique2"}
    )

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func.overloadpacket.__name__ not in self.REFUSED, func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        {"predictor": "coordinate"},
        {"weight_range": (-1.0, 1.0)},
        {"targets": "soft"},
        {"targets": "noise"},
        {"sample": 9, "every": 2},
        {"predictor": "coordinate", "targets": "soft"},
        {"predictor": "coordinate", "kind": "gaussian_nll"},
        {"predictor": "per_tensor"},
        {},
    ],
    ids=str,
)
def test_no_step_waits_for_the_device(
    changes: Any, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first step, steps, and counts beyond the range, copy nothing to or from the device.

    Nor do the bits, where a predictor is sent that does not depend on the weights.
    """
    # The CPU's compiled loops never wait: float64 and these patches leave PyTorch's operations.
    monkeypatch.setattr(scale, "can_sum_scales", lambda *_: False)
    monkeypatch.setattr(scale, "can_code_bins", lambda *_: False)
    monkeypatch.setattr(learned_range, "_multiplication", lambda *tensors: (torch.mul, tensors))
    if not is_kept:
        # As in networks of many weights.
        monkeypatch.setattr(subset, "_MOST_KEPT", 0)
        monkeypatch.setattr(subset, "_LONG", 0)
    module = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2)).double()
    loss = KolmogorovLoss(module, bins=16, **changes)
    loss().backward()
    loss.bits_tensor()

    def refuse(*_: Any) -> None:
        raise AssertionError("read back")

    for name in ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    with NoWaiting():  # type: ignore[no-untyped-call] # torch leaves it untyped
        for _ in range(3):
            loss().backward()
        # Bits of scales and of distributions over bins are counted on the CPU.
        if "kind" in changes:
            loss.bits_tensor()
        loss.out_of_range_count()

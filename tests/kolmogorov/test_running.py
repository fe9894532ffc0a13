"""Tests of running a described module: autocast, accumulation, compilation, copies."""

import copy
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.kolmogorov import PREDICTORS, KolmogorovLoss
from bitfold.kolmogorov.predictors import coordinate
from bitfold.kolmogorov.predictors import laplace_logistic as scale
from bitfold.runtime.wrapped_modules import unwrap
from tests.kolmogorov.narrowing import gradient_of


def make() -> nn.Linear:
    """Return a seeded linear layer."""
    torch.manual_seed(0)
    return nn.Linear(5, 4)


def loss_of(module: nn.Module, **settings: Any) -> KolmogorovLoss:
    """Return a seeded loss with few bins."""
    generator = torch.Generator().manual_seed(1)
    usual: dict[str, Any] = {"predictor": "coordinate", "bins": 32, "generator": generator}
    return KolmogorovLoss(module, **usual | settings)


def test_a_step_under_autocast_has_the_same_k() -> None:
    """With the task in bfloat16, K and its gradients are the same as without autocast."""
    module = make()
    loss = loss_of(module)
    x = torch.randn(6, 5)
    expected = torch.autograd.grad(loss(), [*module.parameters(), *loss.parameters()])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        task, value = module(x).float().square().mean(), loss()
        parameters = [*module.parameters(), *loss.parameters()]
        found = torch.autograd.grad(value, parameters, retain_graph=True)
        (task + value).backward()
    assert value.dtype == torch.float32
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert gradient_of(module.weight).dtype == torch.float32


def test_gradients_accumulate() -> None:
    """Gradients of two calls, or of two backward passes through one graph, add up."""
    module = make()
    loss = loss_of(module)
    parameters = [*module.parameters(), *loss.parameters()]
    once = torch.autograd.grad(loss(), parameters)
    loss().backward()
    (3 * loss()).backward()
    value = loss()
    value.backward(retain_graph=True)
    value.backward()
    for parameter, gradient in zip(parameters, once, strict=True):
        torch.testing.assert_close(parameter.grad, 6 * gradient)


@pytest.mark.parametrize("is_first", [True, False])
def test_compiled_modules_are_described(is_first: bool) -> None:
    """A module that is compiled before or after wrapping has the same K and can be trained."""
    module: Any = make()
    expected = loss_of(module)().item()
    if is_first:
        module = torch.compile(module, backend="eager")
        loss = loss_of(module)
    else:
        loss = loss_of(module)
        module.compile(backend="eager")
    assert loss().item() == expected
    (module(torch.randn(6, 5)).square().mean() + loss()).backward()
    assert all((gradient_of(item) != 0).all() for item in module.parameters())
    # Files and decoded weights use the module's names without its wrappers.
    unwrap(module).load_state_dict(loss.decoded_state())


# PyTorch itself warns about its own break of the graph.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize(
    "settings",
    [{}, {"predictor": "row_column"}, {"targets": "noise"}, {"sample": 8}, {"every": 3}],
    ids=str,
)
def test_a_compiled_training_step_is_the_plain_one(settings: Any) -> None:
    """A compiled function that calls the loss goes through the same weights, step by step."""
    weights = []
    for is_compiled in (False, True):
        module = make()
        loss = loss_of(module, **settings)
        optimizer = torch.optim.SGD([*module.parameters(), *loss.parameters()], lr=0.05)
        x = torch.linspace(-1, 1, 10).view(2, 5)

        def step(module: Any = module, loss: Any = loss, x: Any = x) -> Any:
            combined = module(x).square().mean() + 0.1 * loss()
            combined.backward()
            return combined

        run = torch.compile(step, backend="eager") if is_compiled else step
        for _ in range(12):
            optimizer.zero_grad()
            run()
            optimizer.step()
        weights.append(torch.cat([item.detach().flatten() for item in module.parameters()]))
        torch.compiler.reset()
    torch.testing.assert_close(weights[0], weights[1])


def test_importing_and_calling_do_not_load_the_compiler() -> None:
    """Calling the loss does not load PyTorch's compiler."""
    code = (
        "import sys, torch, bitfold; k = bitfold.KolmogorovLoss(torch.nn.Linear(2, 2)); "
        "k().backward(); assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "settings",
    [{}, {"predictor": "row_column"}, {"targets": "noise"}, {"sample": 5, "every": 2}],
    ids=str,
)
def test_copies_and_states_go_on_as_the_original(settings: Any) -> None:
    """A copy, and a new loss with the same state, continue with the same K."""
    module = make()
    loss = loss_of(module, **settings)
    optimizer = torch.optim.SGD([*module.parameters(), *loss.parameters()], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    copied_module, copied = copy.deepcopy((module, loss))
    restored = loss_of(module, generator=torch.Generator().manual_seed(77), **settings)
    restored.load_state_dict(loss.state_dict())
    assert copied.table.module is copied_module
    for _ in range(4):
        expected = loss()
        for other in (copied, restored):
            assert torch.equal(other(), expected)
    assert loss.bits().items == copied.bits().items == restored.bits().items


def test_a_loss_may_live_in_the_module_that_trains() -> None:
    """If one module holds both network and loss, as in frameworks, nothing counts twice."""

    class Trained(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = nn.Linear(3, 2)
            self.kolmogorov = KolmogorovLoss(self.network)

    trained = Trained()
    names = [name for name, _ in trained.named_parameters()]
    assert sorted(names) == sorted(set(names))
    assert sum(name.startswith("network.") for name in names) == 2
    copied = copy.deepcopy(trained)
    with torch.no_grad():
        copied.network.weight.add_(1)
    assert copied.kolmogorov() != trained.kolmogorov()
    copied.load_state_dict(trained.state_dict())
    assert copied.kolmogorov() == trained.kolmogorov()
    trained.kolmogorov().backward()
    assert trained.network.weight.grad is not None


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_evaluation_in_inference_mode_leaves_training_possible(
    predictor: Any, is_compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first call in inference mode keeps tensors that training can use."""
    if not is_compiled:
        # On a device PyTorch's operations do the work, and they keep their arguments.
        monkeypatch.setattr(coordinate, "has_kernels", lambda tensor: False)
        monkeypatch.setattr(scale, "can_sum_scales", lambda *_: False)
        monkeypatch.setattr(scale, "can_code_bins", lambda *_: False)
    module = make()
    loss = loss_of(module, predictor=predictor)
    with torch.inference_mode():
        evaluated = loss().item()
        loss.bits()
        loss.report()
    value = loss()
    value.backward()
    assert value.item() == evaluated
    assert (gradient_of(module.weight) != 0).all()


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("change", ["half", "bfloat16", "double"])
def test_a_module_may_change_its_type(change: str, predictor: Any) -> None:
    """A module that is cast after wrapping gets gradients in the new dtype."""
    module = make()
    loss = loss_of(module, predictor=predictor)
    expected = loss().item()
    getattr(module, change)()
    value = loss()
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected, rel=0.05)
    assert gradient_of(module.weight).dtype == module.weight.dtype


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("change", ["bfloat16", "double"])
def test_a_loss_may_be_cast_with_its_module(change: str, predictor: Any) -> None:
    """A loss that is cast with its network still works, to the precision of the dtype."""
    module = make()
    loss = loss_of(module, predictor=predictor)
    expected = loss().item()
    getattr(module, change)()
    getattr(loss, change)()
    value = loss()
    value.backward()
    assert value.item() == pytest.approx(expected, rel=0.05 if change == "bfloat16" else 1e-5)
    assert gradient_of(module.weight).isfinite().all()
    assert all(gradient_of(item).isfinite().all() for item in loss.parameters())
    assert float(loss.bits()) > 0

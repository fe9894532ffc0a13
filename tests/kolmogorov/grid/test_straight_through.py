"""Tests of training with the weights that a decoder gets."""

import contextlib
import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.grid import straight_through as quantised_module
from bitfold.kolmogorov.grid.learned_range import TaskRange
from tests.kolmogorov.narrowing import gradient_of, learned_range


class Tied(nn.Module):
    """An embedding that is tied to the output layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.tell = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
        self.tell.weight = self.embed.weight

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Return logits of the tokens."""
        logits: torch.Tensor = self.tell(self.embed(words))
        return logits


class Recurrent(nn.Module):
    """An LSTM, which keeps a list of its own parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(3, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        """Return two numbers computed from the last state."""
        numbers: torch.Tensor = self.head(self.lstm(series)[0][:, -1])
        return numbers


def dense() -> nn.Sequential:
    """Return layers within layers."""
    return nn.Sequential(nn.Linear(6, 9), nn.Sequential(nn.ReLU(), nn.Linear(9, 3)))


def convolutional() -> nn.Module:
    """Return kernels, gains and buffers."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.ConvTranspose2d(4, 2, 2), nn.Flatten()
    )


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[], torch.Tensor]]] = {
    "dense": (dense, lambda: torch.randn(5, 6)),
    "convolutional": (convolutional, lambda: torch.randn(5, 1, 6, 6)),
    "tied": (Tied, lambda: torch.arange(7)),
    "recurrent": (Recurrent, lambda: torch.randn(5, 4, 3)),
    "attention": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True),
        lambda: torch.randn(5, 4, 8),
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, torch.Tensor]:
    """Return a seeded module and its input."""
    torch.manual_seed(3)
    make, points = CASES[request.param]
    return make().eval(), points()


def loss_of(module: nn.Module, **settings: Any) -> KolmogorovLoss:
    """Return a loss with steps so fine that no layer of a tiny module is all zeros."""
    loss = KolmogorovLoss(module, quantise="learned", **settings)
    with torch.no_grad():
        learned_range(loss).log_steps.sub_(math.log(3))
    return loss


def test_the_block_computes_what_a_decoder_does(case: tuple[nn.Module, torch.Tensor]) -> None:
    """Outputs in the block equal, bit for bit, those of a network with the decoded state."""
    module, points = case
    before = module(points)
    loss, decoded = loss_of(module), copy.deepcopy(module)
    decoded.load_state_dict(loss.decoded_state())
    with loss.quantised():
        found = module(points)
    assert torch.equal(found, decoded(points))
    assert not torch.allclose(found, before)


@pytest.mark.parametrize("fails", [False, True])
def test_the_module_is_as_it_was(case: tuple[nn.Module, torch.Tensor], fails: bool) -> None:
    """After the block, and after an exception, the module has its own parameters and can
    be copied.
    """
    module, points = case
    owned = dict(module.named_parameters(remove_duplicate=False))
    values, before = copy.deepcopy(module.state_dict()), module(points)
    loss = loss_of(module)
    with contextlib.suppress(ZeroDivisionError), loss.quantised():
        module(points)
        inside = dict(module.named_parameters(remove_duplicate=False))
        assert all(inside.get(name) is not item for name, item in owned.items())
        if fails:
            raise ZeroDivisionError
    after = dict(module.named_parameters(remove_duplicate=False))
    assert list(after) == list(owned)
    assert all(after[name] is item for name, item in owned.items())
    assert all(torch.equal(item, values[name]) for name, item in module.state_dict().items())
    copied, _ = copy.deepcopy((module, loss))
    assert torch.equal(module(points), before)
    assert torch.equal(copied(points), before)
    assert loss().isfinite()


def test_a_weight_gets_the_gradient_of_what_it_decodes_as(
    case: tuple[nn.Module, torch.Tensor],
) -> None:
    """A weight's gradient in a block is the decoded network's gradient at the decoded weight."""
    module, points = case
    loss, decoded = loss_of(module), copy.deepcopy(module)
    decoded.load_state_dict(loss.decoded_state())
    with loss.quantised():
        module(points).square().sum().backward()
    decoded(points).square().sum().backward()
    for item, expected in zip(module.parameters(), decoded.parameters(), strict=True):
        torch.testing.assert_close(item.grad, expected.grad)


def test_gradients_by_weights_and_steps_are_those_of_the_surrogate() -> None:
    """Gradients equal finite differences of a network with constant rounding errors, in steps.

    A weight w = v s decodes as n s: as a surrogate it is w + (n - v) s with n - v a constant, whose
    slope is 1 by w and n - v by s.
    """
    torch.manual_seed(0)
    module = dense().double()
    loss = loss_of(module)
    with torch.no_grad():  # steps in the precision in which they are sent
        steps = learned_range(loss).steps(as_sent=True)
        learned_range(loss).log_steps.copy_(steps.log())
    loss = loss.double()
    points = torch.randn(5, 6, dtype=torch.float64)
    with loss.quantised():
        module(points).square().sum().backward()
    held = [
        ((item / step).round() - item / step).detach()
        for item, step in zip(module.parameters(), steps.double(), strict=True)
    ]
    names = [name for name, _ in module.named_parameters()]

    def surrogate(log_steps: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        moved = [w + r * s.exp() for w, r, s in zip(weights, held, log_steps, strict=True)]
        state = dict(zip(names, moved, strict=True))
        total: torch.Tensor = torch.func.functional_call(module, state, points).square().sum()
        return total

    log_steps = learned_range(loss).log_steps.detach().double()
    own = [item.detach() for item in module.parameters()]
    slope, epsilon = gradient_of(learned_range(loss).log_steps), 1e-6
    for number in range(len(own)):
        moved = torch.zeros_like(log_steps)
        moved[number] = epsilon
        rise = surrogate(log_steps + moved, *own) - surrogate(log_steps - moved, *own)
        assert slope[number].item() == pytest.approx(rise.item() / (2 * epsilon), rel=1e-4)
    for number, item in enumerate(module.parameters()):
        moved_weights = [weight.clone() for weight in own]
        moved_weights[number].view(-1)[0] += epsilon
        rise = surrogate(log_steps, *moved_weights) - surrogate(log_steps, *own)
        assert gradient_of(item).view(-1)[0].item() == pytest.approx(
            rise.item() / epsilon, rel=1e-3
        )


@pytest.mark.parametrize("num_bins", [2, 3, 6, 7, 256])
def test_compiled_loops_round_as_a_decoder_does(
    num_bins: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled and general rounding agree bit for bit, also halfway between steps and beyond the
    range.
    """
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(50, 40), nn.Linear(40, 3))
    loss = KolmogorovLoss(module, quantise="learned", bins=num_bins)
    with torch.no_grad():
        steps = learned_range(loss).steps(as_sent=True)
        module.get_parameter("0.weight").view(-1)[:400] = torch.arange(-200, 200) / 2 * steps[0]
        module.get_parameter("1.weight").view(-1)[0] = -0.0
    found = []
    for is_plain in (True, False):
        if not is_plain:
            monkeypatch.setattr(quantised_module, "can_round_plainly", lambda tensors: False)
            monkeypatch.setattr(loss.table, "plain_views", lambda: None)
        loss.weight_range.log_steps.grad = None
        with loss.quantised():
            weights: list[Any] = [item for layer in module for item in layer._parameters.values()]
            total: Any = sum((item * item.detach().sin()).sum() for item in weights)
            total.backward()
            found.append(([*weights], loss.weight_range.log_steps.grad))
    for plain, general in zip(*(item[0] for item in found), strict=True):
        assert torch.equal(plain, general)
    torch.testing.assert_close(found[0][1], found[1][1])


def test_steps_that_are_frozen_get_no_gradient() -> None:
    """Frozen steps get no gradient; the weights still do."""
    module = dense()
    loss = loss_of(module)
    loss.weight_range.log_steps.requires_grad_(False)
    with loss.quantised():
        module(torch.ones(1, 6)).sum().backward()
    assert loss.weight_range.log_steps.grad is None
    assert module[0].weight.grad is not None


@pytest.mark.parametrize("settings", [{}, {"weight_range": (-1.0, 1.0), "bins": 16}])
def test_losses_of_any_range_can_quantise(settings: Any) -> None:
    """A fixed range works in a block too, without a gradient by steps."""
    module = dense()
    loss, decoded = KolmogorovLoss(module, **settings), copy.deepcopy(module)
    decoded.load_state_dict(loss.decoded_state())
    with loss.quantised():
        found = module(torch.ones(1, 6))
    found.sum().backward()
    assert torch.equal(found, decoded(torch.ones(1, 6)))
    assert module[0].weight.grad is not None


def test_k_may_be_asked_for_within_the_block() -> None:
    """K, bits and decoded state are the same inside a block."""
    module = dense()
    loss = loss_of(module)
    outside, bits = loss(), loss.bits().total
    with loss.quantised():
        assert torch.equal(loss(), outside)
        assert loss.bits().total == bits
        torch.testing.assert_close(loss.decoded_state()["0.weight"], module[0].weight)


def test_a_second_block_is_refused_and_leaves_the_first() -> None:
    """A second block is refused, so that rounded weights are not rounded again."""
    module = dense()
    loss = loss_of(module)
    with loss.quantised():
        inside = module[0].weight
        with pytest.raises(KolmogorovError, match="Leave that block first"), loss.quantised():
            pass
        assert module[0].weight is inside


def test_autocast_and_half_precision_work() -> None:
    """Decoded weights have the dtype of the parameters, also under autocast."""
    module = dense().bfloat16()
    loss = loss_of(module)
    with torch.autocast("cpu", torch.bfloat16), loss.quantised():
        module(torch.ones(2, 6)).sum().backward()
    assert gradient_of(module.get_parameter("0.weight")).dtype == torch.bfloat16
    assert gradient_of(learned_range(loss).log_steps).isfinite().all()


# PyTorch's compiler looks at it, and hides the warning if warnings are not errors.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_compiled_networks_work() -> None:
    """A compiled network works in a block and after it."""
    module, points = dense(), torch.randn(4, 6)
    loss = loss_of(module)
    compiled = torch.compile(module, backend="eager")
    plain = compiled(points)
    with loss.quantised():
        expected, found = module(points), compiled(points)
    found.sum().backward()
    assert torch.equal(found, expected)
    assert module[0].weight.grad is not None
    assert torch.equal(compiled(points), plain)


def test_weights_that_no_gradient_is_wanted_of() -> None:
    """Without gradients the block makes no graph."""
    module = dense()
    loss = loss_of(module)
    with torch.no_grad(), loss.quantised():
        assert not module(torch.ones(1, 6)).requires_grad


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quantise": "fixed"}, "expected quantise to be 'learned' or None, got 'fixed'"),
        ({"quantise": "learned", "weight_range": (-1, 1)}, "with weight_range='auto'"),
    ],
)
def test_impossible_ways_to_quantise_are_refused(settings: Any, message: str) -> None:
    """Impossible settings of ``quantise`` get an error of one line."""
    with pytest.raises(KolmogorovError, match=message) as caught:
        KolmogorovLoss(dense(), **settings)
    assert "\n" not in str(caught.value)


def test_steps_of_the_task_begin_coarse() -> None:
    """Most weights begin as -1, 0 or 1 step, and vectors finer; few bins still reach far enough."""
    module = nn.Sequential(nn.Linear(100, 50), nn.BatchNorm1d(50))
    loss = KolmogorovLoss(module, quantise="learned")
    assert isinstance(loss.weight_range, TaskRange)
    steps = loss.weight_range.steps().tolist()
    assert steps[0] == pytest.approx(
        2 * module.get_parameter("0.weight").square().mean().sqrt().item()
    )
    assert steps[2] == pytest.approx(1 / 4)
    numbers = (module[0].weight / steps[0]).round().unique().tolist()
    assert numbers == [-1, 0, 1]
    few = KolmogorovLoss(nn.Linear(10, 10), quantise="learned", bins=2)
    assert learned_range(few).steps().isfinite().all()
    assert loss.weight_range.precision_nats() == (0.0, [])


def test_training_with_the_task_in_the_loop_finds_short_networks() -> None:
    """Steps grow while the decoded network keeps to its task."""
    torch.manual_seed(0)
    points = torch.randn(400, 6)
    classes = points[:, :3].argmax(1)
    module = dense()
    loss = KolmogorovLoss(module, quantise="learned")
    groups: list[dict[str, Any]] = [
        {"params": module.parameters()},
        {"params": loss.parameters(), "lr": 0.02},
    ]
    optimizer = torch.optim.Adam(groups, lr=0.01)
    before = loss.bits().items["weights"]
    for _ in range(400):
        optimizer.zero_grad()
        with loss.quantised():
            task = functional.cross_entropy(module(points), classes)
        (task + 0.2 * loss()).backward()
        optimizer.step()
    decoded = copy.deepcopy(module)
    decoded.load_state_dict(loss.decoded_state())
    assert (decoded(points).argmax(1) == classes).double().mean() > 0.9
    assert loss.bits().items["weights"] < 0.8 * before

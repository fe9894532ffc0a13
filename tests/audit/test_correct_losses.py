"""Correct losses, for which the audit must raise no alarm."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812 - PyTorch's own abbreviation
from torch.utils.checkpoint import checkpoint

from bitfold.audit import Verdict, audit_gradients
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.networks import PolytopeNet

Term = Callable[[], Any]
Modules = dict[str, nn.Module]
Case = Callable[[], tuple[Term, Modules]]


def small(inputs: int = 4, outputs: int = 4) -> nn.Sequential:
    """A network of two layers."""
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs))


def points(*shape: int) -> Tensor:
    """Return Gaussian points: (16, 4) unless said otherwise."""
    return torch.randn(*(shape or (16, 4)))


def straight_through() -> tuple[Term, Modules]:
    """Rounded values with the gradient of the plain ones."""
    net, x = small(), points()

    def term() -> Tensor:
        soft = net(x)
        return (soft + (torch.round(soft * 4) / 4 - soft).detach()).square().mean()

    return term, {"net": net}


class _RoundThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x * 4) / 4

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


def straight_through_function() -> tuple[Term, Modules]:
    """Rounds as `straight_through` does, in a custom Function."""
    net, x = small(), points()
    return lambda: _RoundThrough.apply(net(x)).square().mean(), {"net": net}


class _SquaresInNumpy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        values = x.detach().numpy()
        ctx.save_for_backward(torch.from_numpy(2 * values))
        return x.new_tensor(float((values**2).sum()))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (slopes,) = ctx.saved_tensors
        return gradient * slopes


def gradients_worked_out_in_forward() -> tuple[Term, Modules]:
    """A custom Function whose value and gradient come from NumPy."""
    net, x = small(), points()
    return lambda: _SquaresInNumpy.apply(net(x)), {"net": net}


def reparameterised_sample() -> tuple[Term, Modules]:
    """Noise from the global generator, scaled and shifted by the network's outputs."""
    net, x = small(outputs=8), points()

    def term() -> Tensor:
        mean, log_scale = net(x).chunk(2, dim=1)
        return (mean + torch.randn_like(mean) * log_scale.exp()).square().mean()

    return term, {"net": net}


def gumbel_softmax() -> tuple[Term, Modules]:
    """A hard choice with the gradient of the soft one."""
    net, x = small(), points()

    def term() -> Tensor:
        return (F.gumbel_softmax(net(x), hard=True) * x).sum()

    return term, {"net": net}


def checkpointed() -> tuple[Term, Modules]:
    """A checkpoint computes the activations twice."""
    net, x = nn.Sequential(small(), nn.Dropout(0.2), small()), points()
    return lambda: checkpoint(net, x, use_reentrant=False).square().mean(), {"net": net}


def reentrant_checkpoint() -> tuple[Term, Modules]:
    """A checkpoint that hides its graph in a backward pass of its own."""
    first, second, x = small(), small(), points()

    def term() -> Tensor:
        return checkpoint(second, first(x), use_reentrant=True).square().mean()

    return term, {"first": first, "second": second}


def detached_target() -> tuple[Term, Modules]:
    """A bootstrap target from the same network, as in temporal-difference learning."""
    net, x = small(), points()

    def term() -> Tensor:
        with torch.no_grad():
            target = 1 + 0.9 * net(x.roll(1, 0)).amax(1)
        return F.mse_loss(net(x).amax(1), target)

    return term, {"net": net}


def averaged_teacher() -> tuple[Term, Modules]:
    """A frozen moving average of the network provides the target."""
    net, x = small(), points()
    teacher = copy.deepcopy(net).requires_grad_(False)

    def term() -> Tensor:
        with torch.no_grad():
            for slow, fast in zip(teacher.parameters(), net.parameters(), strict=True):
                slow.mul_(0.9).add_(fast + 0.1, alpha=0.1)
        return F.mse_loss(net(x), teacher(x))

    return term, {"net": net}


def stopped_normaliser() -> tuple[Term, Modules]:
    """The value is always 1; its gradient is that of a logarithm."""
    net, x = small(), points()

    def term() -> Tensor:
        loss = net(x).square().mean()
        return loss / loss.detach()

    return term, {"net": net}


def embedding() -> tuple[Term, Modules]:
    """A lookup reads 6 of 500 rows: the other rows do not influence the value."""
    table, places = nn.Embedding(500, 4), torch.tensor([[3, 141, 59], [26, 53, 3]])
    head = nn.Linear(4, 1)
    return lambda: head(table(places)).square().mean(), {"table": table, "head": head}


def sparse_embedding() -> tuple[Term, Modules]:
    """A lookup reads 6 of 500 rows and has a sparse gradient."""
    table, places = nn.Embedding(500, 4, sparse=True), torch.tensor([[3, 141], [26, 53]])
    return lambda: table(places).square().mean(), {"table": table}


def gathered_by_argmax() -> tuple[Term, Modules]:
    """Integer indices select values of the output."""
    net, x = small(), points()

    def term() -> Tensor:
        scores = net(x)
        return -scores.gather(1, scores.argmax(1, keepdim=True)).mean()

    return term, {"net": net}


def mixed_dtypes() -> tuple[Term, Modules]:
    """One loss mixes two precisions."""
    net, head = small(), nn.Linear(4, 1).double()
    x = points()
    return lambda: head(net(x).double()).square().mean(), {"net": net, "head": head}


def autocast() -> tuple[Term, Modules]:
    """Matrix products in bfloat16."""
    net, x = small(), points()

    def term() -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = net(x)
        return hidden.float().square().mean()

    return term, {"net": net}


def bfloat16_module() -> tuple[Term, Modules]:
    """bfloat16 parameters, for which a small displacement rounds to nothing."""
    net, x = small().bfloat16(), points().bfloat16()
    return lambda: net(x).square().mean(), {"net": net}


def float16_module() -> tuple[Term, Modules]:
    """float16 parameters."""
    net, x = small().half(), points().half()
    return lambda: net(x).square().mean(), {"net": net}


def max_pooling() -> tuple[Term, Modules]:
    """A small convolutional network."""
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 2, 3))
    x = points(2, 1, 12, 12)
    return lambda: net(x).square().mean(), {"net": net}


def top_values() -> tuple[Term, Modules]:
    """The loss uses only the two largest outputs."""
    net, x = small(), points()

    def term() -> Tensor:
        return net(x).topk(2, dim=1).values.mean()

    return term, {"net": net}


def where_and_clamp() -> tuple[Term, Modules]:
    """`where` chooses branches element by element, and `clamp` leaves most elements unchanged."""
    net, x = small(), points()

    def term() -> Tensor:
        hidden = net(x)
        huber = torch.where(hidden.abs() < 0.3, hidden.square(), hidden.abs())
        return huber.mean() + hidden.clamp(-1.0, 1.0).mean()

    return term, {"net": net}


def norms_and_dropout() -> tuple[Term, Modules]:
    """Batch and layer normalisation in training mode, with dropout."""
    net = nn.Sequential(
        *(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3)),
        *(nn.LayerNorm(8), nn.Linear(8, 2)),
    )
    x = points()
    return lambda: F.cross_entropy(net(x), (x[:, 0] > 0).long()), {"net": net}


def recurrent() -> tuple[Term, Modules]:
    """An LSTM and a GRU."""
    lstm, gru, x = nn.LSTM(4, 5), nn.GRU(5, 3), points(6, 2, 4)
    return lambda: gru(lstm(x)[0])[1].square().mean(), {"lstm": lstm, "gru": gru}


def attention() -> tuple[Term, Modules]:
    """A transformer layer with a mask."""
    net = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    x, mask = points(2, 5, 8), torch.ones(5, 5, dtype=torch.bool).triu(1)
    return lambda: net(x, src_mask=mask).square().mean(), {"net": net}


def functional() -> tuple[Term, Modules]:
    """`functional_call` hands the parameters to a module that has none of its own."""
    net, x = small(), points()
    empty = copy.deepcopy(net).to("meta")

    def term() -> Tensor:
        return functional_call(empty, dict(net.named_parameters()), (x,)).square().mean()

    return term, {"net": net}


def gradient_penalty() -> tuple[Term, Modules]:
    """A loss of gradients, by autograd and by torch.func."""
    net, x = small(outputs=1), points()

    def term() -> Tensor:
        inputs = x.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(net(inputs).sum(), inputs, create_graph=True)
        again = torch.func.vmap(torch.func.grad(lambda row: net(row).squeeze()))(x)
        return slopes.square().mean() + again.abs().mean()

    return term, {"net": net}


def weight_norm() -> tuple[Term, Modules]:
    """weight_norm computes the weights from other parameters."""
    net = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    x = points()
    return lambda: net(x).square().mean(), {"net": net}


def logged_and_branching() -> tuple[Term, Modules]:
    """Numbers leave PyTorch for a log, and for a choice between equal branches."""
    net, x, log = small(), points(), []

    def term() -> Tensor:
        loss = net(x).square().mean()
        log.append((loss.item(), f"{loss:.3f}", np.asarray(loss.detach()).tolist()))
        return loss if loss.item() < 1 else 1 + loss.log()

    return term, {"net": net}


def policy_gradient() -> tuple[Term, Modules]:
    """Actions are sampled, and rewards carry no graph."""
    net, x = small(), points()

    def term() -> Tensor:
        policy = torch.distributions.Categorical(logits=net(x))
        actions = policy.sample()
        return -(policy.log_prob(actions) * (actions.float() - 1)).mean()

    return term, {"net": net}


def kolmogorov_loss() -> tuple[Term, Modules]:
    """K, whose gradients come from compiled loops."""
    network = PolytopeNet(2, "[10]*3", 1)
    kolmogorov = KolmogorovLoss(network)
    return kolmogorov, {"network": network, "predictor": kolmogorov}


CASES: tuple[Case, ...] = (
    straight_through,
    straight_through_function,
    gradients_worked_out_in_forward,
    reparameterised_sample,
    gumbel_softmax,
    checkpointed,
    reentrant_checkpoint,
    detached_target,
    averaged_teacher,
    stopped_normaliser,
    embedding,
    sparse_embedding,
    gathered_by_argmax,
    mixed_dtypes,
    autocast,
    bfloat16_module,
    float16_module,
    max_pooling,
    top_values,
    where_and_clamp,
    norms_and_dropout,
    recurrent,
    attention,
    functional,
    gradient_penalty,
    weight_norm,
    logged_and_branching,
    policy_gradient,
    kolmogorov_loss,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_correct_loss_raises_no_alarm(case: Case) -> None:
    """The audit finds that a correct loss reaches each of its modules, and names no cut site."""
    torch.manual_seed(0)
    term, modules = case()
    audit = audit_gradients({"loss": term}, modules)
    assert audit.ok
    assert [row.verdict for row in audit.rows] == [Verdict.REACHES] * len(modules), str(audit)
    assert not any(row.sites for row in audit.rows)
    assert all(row.norm > 0 for row in audit.rows)


@pytest.mark.parametrize(
    "case",
    [reparameterised_sample, norms_and_dropout, recurrent, attention, mixed_dtypes, autocast],
    ids=lambda case: case.__name__,
)
def test_a_smooth_loss_agrees_with_finite_differences(case: Case) -> None:
    """A smooth loss agrees with finite differences, also with noise and dropout."""
    torch.manual_seed(0)
    term, modules = case()
    for row in audit_gradients({"loss": term}, modules).rows:
        assert row.agreement is not None
        assert row.agreement > (0.8 if case is autocast else 0.97), row


@pytest.mark.parametrize("case", [straight_through, stopped_normaliser], ids=lambda c: c.__name__)
def test_disagreement_is_reported_and_not_judged(case: Case) -> None:
    """A loss whose gradient deliberately belongs to another value still counts as reached."""
    torch.manual_seed(0)
    term, modules = case()
    (row,) = audit_gradients({"loss": term}, modules).rows
    assert row.verdict == Verdict.REACHES
    assert row.agreement is not None
    assert row.agreement < 0.9

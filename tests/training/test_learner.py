"""What an epoch does: which gradients, which operations, what is read back."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from training_runs import TINY, WITH_K

from bitfold.errors import ConfigError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.predictors import coordinate
from bitfold.targets import Split, Target, load_target, sample_split
from bitfold.training import Config
from bitfold.training.learner import Learner, choose_threads, stream, usable_device


def parts_of(config: Config) -> tuple[Target, Split]:
    """A target and its split."""
    target = load_target(config.target, size=config.size, task=config.task)
    points = config.points if config.points != "all" else None
    return target, sample_split(target, points=points, batch_size=config.batch_size, seed=0)


def learner_of(**settings: Any) -> Learner:
    """A learner at its start."""
    config = Config(**{**TINY, **settings})
    return Learner(config, *parts_of(config))


class Operations(TorchDispatchMode):
    """Counts the operations that reach a device."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[str(func)] += 1
        return func(*args, **(kwargs or {}))


def operations_of_an_epoch(learner: Learner) -> Counter[str]:
    """All operations of the second epoch; the first one makes the optimiser's state."""
    learner.run_epoch(1)
    with Operations() as seen:
        learner.run_epoch(2)
    return seen.counts


@pytest.mark.parametrize(
    "settings",
    [{}, {"kolmogorov_weight": 0.5, "kolmogorov_shape": "none"}],
    ids=["lambda", "shape"],
)
def test_without_k_there_is_not_one_extra_operation(settings: dict[str, Any]) -> None:
    """Beside a plain loop of forward, loss, backward and step an epoch has a fixed few."""
    extra = []
    for num_batches in (2, 10):
        learner = learner_of(points=16 * num_batches, **settings)
        assert learner.kolmogorov is None
        assert learner.predictor_optimizers == []
        found = operations_of_an_epoch(learner)
        (optimizer,) = learner.optimizers
        points, wanted = learner._points, learner._wanted
        with Operations() as plain:
            for start in range(0, len(points), 16):
                batch, values = points[start : start + 16], wanted[start : start + 16]
                loss = torch.nn.functional.mse_loss(learner._forward(batch), values)
                loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
                optimizer.step()
                learner.network.zero_grad()
                loss.detach()  # what the loss of an epoch is made of
        assert not plain.counts - found
        extra.append(found - plain.counts)
    assert extra[0] == extra[1]
    assert extra[0].total() < 50


def test_k_reaches_network_and_predictor() -> None:
    """With lambda above 0 both are moved by it, and each by its own optimiser and rate."""
    plain, with_k = learner_of(), learner_of(**WITH_K)
    assert with_k.kolmogorov is not None
    predictor = [p.detach().clone() for p in with_k.kolmogorov.parameters()]
    for learner in (plain, with_k):
        learner.run_epoch(1)
    changed = [
        not torch.equal(p, q)
        for p, q in zip(plain.network.parameters(), with_k.network.parameters(), strict=True)
    ]
    assert all(changed)
    moved = [
        not torch.equal(p, q)
        for p, q in zip(predictor, with_k.kolmogorov.parameters(), strict=True)
    ]
    assert all(moved)
    norms = with_k.gradient_norms()
    assert all(norm is not None and norm > 0 for norm in norms)
    assert plain.gradient_norms()[1:] == (None, None)


def test_gradient_norms_are_those_of_each_term_alone() -> None:
    """K is not weighted by lambda, and looking changes nothing."""
    learner = learner_of(**WITH_K)
    before = learner.flat_weights()
    norms = learner.gradient_norms()
    assert torch.equal(learner.flat_weights(), before)
    assert learner.kolmogorov is not None
    assert all(p.grad is None for p in learner.network.parameters())
    task = learner.task.loss(learner.network(learner._points[:16]), learner._wanted[:16])
    own, other = list(learner.network.parameters()), list(learner.kolmogorov.parameters())
    of_task = torch.autograd.grad(task, own)
    of_k = torch.autograd.grad(learner.kolmogorov(), [*own, *other])
    wanted = [of_task, of_k[: len(own)], of_k[len(own) :]]
    for norm, gradients in zip(norms, wanted, strict=True):
        assert norm == pytest.approx(torch.cat([g.flatten() for g in gradients]).norm().item())


@pytest.mark.parametrize("kind", ["laplacian_nll", "cross_entropy"])
def test_values_are_read_back_once_an_epoch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many steps it has: none of them waits for the device."""
    # The compiled loops share the CPU's memory with PyTorch; a device never runs them.
    monkeypatch.setattr(coordinate, "has_kernels", lambda tensor: False)
    calls: Counter[str] = Counter()

    def counted(name: str) -> Any:
        real = getattr(Tensor, name)

        def call(self: Tensor, *arguments: Any, **keywords: Any) -> Any:
            calls[name] += 1
            return real(self, *arguments, **keywords)

        return call

    settings = {**WITH_K, "kolmogorov_loss_type": kind, "grad_clip_norm": 1.0}
    learners = [learner_of(points=16 * n, **settings) for n in (2, 10)]
    for learner in learners:
        monkeypatch.setattr(learner, "_forward", learner.network)
        learner.run_epoch(1)
    for name in ("item", "tolist", "cpu", "numpy", "__float__", "__int__", "__bool__"):
        monkeypatch.setattr(Tensor, name, counted(name))
    found = []
    for learner in learners:
        calls.clear()
        learner.run_epoch(2)
        found.append(dict(calls))
    # Distributions over bins are counted on the CPU, which takes the predictor there.
    assert found[0] == found[1]
    assert found[0] == {"tolist": 1} or kind == "cross_entropy"


def test_an_epochs_loss_is_the_mean_over_its_points() -> None:
    """Batches of unlike size count by their points."""
    learner = learner_of(points=50, learning_rate=1e-30, optimizer="sgd")
    result = learner.run_epoch(1)
    assert result is not None
    whole = learner.task.loss(learner.network(learner._points), learner._wanted)
    assert result.task_loss == pytest.approx(whole.item(), rel=1e-5)


def test_every_point_is_seen_once_an_epoch_in_a_new_order() -> None:
    """The last batch may be short; the order is the seed's."""
    learner = learner_of(points=50)
    epochs = [[points for points, _ in learner._batches()] for _ in range(2)]
    assert [len(batch) for batch in epochs[0]] == [16, 16, 16, 2]
    first, second = (torch.cat(batches) for batches in epochs)
    assert not torch.equal(first, second)
    assert sorted(first.tolist()) == sorted(second.tolist()) == sorted(learner._points.tolist())
    again = [points for points, _ in learner_of(points=50)._batches()]
    assert torch.equal(torch.cat(again), first)


def test_random_numbers_leave_the_callers_alone() -> None:
    """Nothing is drawn from PyTorch's global generator."""
    before = torch.get_rng_state()
    learner = learner_of(**WITH_K)
    learner.run_epoch(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_k_leaves_the_start_of_the_network_alone() -> None:
    """Weights and order are the same with and without a predictor, so runs can be compared."""
    plain, with_k = learner_of(), learner_of(**WITH_K)
    for one, other in zip(plain.network.parameters(), with_k.network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(plain.order.get_state(), with_k.order.get_state())
    assert stream(0, "network").initial_seed() != stream(0, "order").initial_seed()
    assert stream(0, "order").initial_seed() != stream(1, "order").initial_seed()


def test_what_a_result_says_is_true() -> None:
    """Score, spread, bits and weights out of range are those of the network as it now is."""
    learner = learner_of(**WITH_K, kolmogorov_weight_min=-0.2, kolmogorov_weight_max=0.2)
    result = learner.run_epoch(1)
    assert result is not None
    assert learner.kolmogorov is not None
    assert result.out_of_range == learner.kolmogorov.num_out_of_range() > 0
    assert result.description_bits == pytest.approx(float(learner.kolmogorov.bits()), rel=1e-6)
    outputs = learner.network(learner._validation_points)
    loss = learner.task.loss(outputs, learner._validation_wanted).item()
    assert result.validation_loss == pytest.approx(loss)
    assert result.score == learner.task.score(result.validation_loss, 0.0)
    assert result.output_spread == pytest.approx((outputs.max() - outputs.min()).item())


@pytest.mark.parametrize(
    ("every", "in_step"), [(3, [3, 0, 0, 3]), (2, [2, 0, 2, 0]), (7, [7, 0, 0, 0])]
)
def test_k_every_few_steps_is_measured_as_itself(
    every: int, in_step: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps see k times K or none; the epoch's K is the mean of K over the steps that have it."""
    learner = learner_of(**WITH_K, kolmogorov_every=every)
    assert learner.kolmogorov is not None
    seen, whole, step = [], [], learner.kolmogorov.forward

    def watched() -> Tensor:
        value = step()
        if learner.kolmogorov is not None and learner.kolmogorov.training:
            seen.append(value.item())
            whole.append(learner._present_k().item())
        return value

    monkeypatch.setattr(learner.kolmogorov, "forward", watched)
    result = learner.run_epoch(1)
    assert result is not None
    assert seen == pytest.approx([k * times for k, times in zip(whole, in_step, strict=True)])
    sizes = [size if times else 0 for size, times in zip((16, 16, 16, 2), in_step, strict=True)]
    mean = sum(k * size for k, size in zip(whole, sizes, strict=True)) / sum(sizes)
    assert result.kolmogorov_loss == pytest.approx(mean, rel=1e-6)


def test_an_epoch_without_k_in_any_step_measures_it() -> None:
    """With more steps between than an epoch has, K is that of the network after the epoch."""
    learner = learner_of(**WITH_K, kolmogorov_every=100)
    first, second = learner.run_epoch(1), learner.run_epoch(2)
    assert first is not None
    assert second is not None
    assert second.kolmogorov_loss == pytest.approx(learner._present_k().item(), rel=1e-6)
    assert first.kolmogorov_loss != second.kolmogorov_loss


@pytest.mark.parametrize(
    "settings",
    [
        {"kolmogorov_targets": "linear"},
        {"kolmogorov_targets": "noise"},
        {"kolmogorov_range": "auto"},
        {"kolmogorov_predictor": "row_column"},
        {"kolmogorov_predictor": "per_tensor", "kolmogorov_range": "auto"},
    ],
    ids=lambda settings: "-".join(settings.values()),
)
def test_options_of_k_reach_it(settings: dict[str, str]) -> None:
    """Each setting makes the KolmogorovLoss that one would make by hand."""
    learner = learner_of(**WITH_K, **settings)
    other = KolmogorovLoss(
        learner.network,
        predictor=settings.get("kolmogorov_predictor", "coordinate"),
        predictor_shape=None if "kolmogorov_predictor" in settings else (3,),
        bins=16,
        weight_range="auto" if "kolmogorov_range" in settings else (-3.0, 3.0),
        targets=settings.get("kolmogorov_targets", "soft"),
        generator=stream(0, "predictor"),
    )
    assert learner.kolmogorov is not None
    assert learner.kolmogorov().item() == other().item()
    assert float(learner.kolmogorov.bits()) == float(other.bits())
    plain = learner_of(**WITH_K)
    assert plain.kolmogorov is not None
    assert plain.kolmogorov().item() != other().item()


def test_an_epoch_that_is_to_stop_is_given_up() -> None:
    """It is asked before each step."""
    answers = iter([False, False, True])
    assert learner_of().run_epoch(1, lambda: next(answers)) is None
    assert learner_of().run_epoch(1, lambda: False) is not None


@pytest.mark.parametrize("name", ["cuda:99", "meta", "toaster", ""])
def test_a_device_that_is_not_there_gets_one_line(name: str) -> None:
    """Whatever PyTorch says of it, and however many lines."""
    with pytest.raises(ConfigError, match="Cannot use --device") as caught:
        usable_device(name)
    assert "\n" not in str(caught.value)


def test_a_small_network_gets_one_thread() -> None:
    """Others stay free for drawing; a number that is given is obeyed."""
    small = Config(size=32)
    target = load_target("ring", size=32)
    assert choose_threads(small, target) == 1
    assert choose_threads(small.replace(threads=3), target) == 3
    large = small.replace(shape="[1000]*5")
    assert choose_threads(large, target) == torch.get_num_threads()


@pytest.mark.parametrize("every", [1, 3])
def test_steps_are_those_with_k_and_hold_k_itself(every: int) -> None:
    """Between them there is nothing to compare, and in them K does not count ``every`` times."""
    learner = learner_of(**WITH_K, points=112, kolmogorov_every=every, learning_rate=1e-30)
    assert learner.kolmogorov is not None
    with torch.no_grad():
        k = float(learner.kolmogorov())
    found = [learner.run_epoch(epoch) for epoch in (1, 2)]
    # Steps 0 to 6 and 7 to 13: with every third, 0, 3 and 6, then 9 and 12.
    assert [len(one.steps) for one in found if one] == ([7, 7] if every == 1 else [3, 2])
    for one in found:
        assert one is not None
        assert all(nats == pytest.approx(k, abs=0.5) for _, nats in one.steps)
        nats = [nats for _, nats in one.steps]
        assert one.kolmogorov_loss == pytest.approx(sum(nats) / len(nats), rel=1e-5)

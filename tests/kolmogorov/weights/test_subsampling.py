"""Tests of the weights in a call's sample: samples, shares of processes, every k-th step."""

import copy
import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import nn
from torch.distributed import ProcessGroup

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import PREDICTORS, KolmogorovLoss, ParameterTable
from bitfold.kolmogorov.weights.subsampling import Subsampling, _draw
from tests.kolmogorov.narrowing import gradient_of

CPU = torch.device("cpu")

#: Predictors that take samples.
BY_POSITION = [name for name, kind in PREDICTORS.items() if not kind.needs_all_weights]


def network() -> nn.Sequential:
    """Return a float64 network of 43 weights."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2, bias=False), nn.LayerNorm(1))
    return cast(nn.Sequential, layers.double()[:2])


def loss_of(module: nn.Module, **settings: Any) -> KolmogorovLoss:
    """Return a seeded loss with few bins."""
    generator = torch.Generator().manual_seed(1)
    usual: dict[str, Any] = {"predictor": "coordinate", "bins": 16, "generator": generator}
    return KolmogorovLoss(module, **usual | settings)


def share_of(rank: int, num_processes: int) -> ProcessGroup:
    """Return a stand-in for a group of processes that only has a size."""
    group = SimpleNamespace(rank=lambda: rank, size=lambda: num_processes)
    return cast(ProcessGroup, group)


@pytest.mark.parametrize(("size", "num_drawn"), [(7, 1), (7, 3), (10, 4), (9, 9), (8, 7), (1, 1)])
def test_every_weight_is_drawn_equally_often(size: int, num_drawn: int) -> None:
    """Over all values of the random numbers, each weight is drawn n / N times."""
    grid = 2520
    # The exact expectation: counts each stratum's number once, as if drawn evenly.
    counts = torch.zeros(size, dtype=torch.float64)
    for stratum in range(num_drawn):
        for number in range(grid):
            place = (stratum + (number + 0.5) / grid) * size / num_drawn
            counts[int(place)] += 1 / grid
    torch.testing.assert_close(counts, torch.full_like(counts, num_drawn / size))
    drawn = torch.stack([_draw(size, num_drawn, seed, CPU) for seed in range(4000)])
    assert drawn.shape == (4000, num_drawn)
    assert (drawn.diff(dim=1) >= 0).all()
    for stratum in range(num_drawn):
        low, high = stratum * size / num_drawn, (stratum + 1) * size / num_drawn
        assert drawn[:, stratum].min() >= math.floor(low)
        assert drawn[:, stratum].max() <= math.ceil(high) - 1
    shares = torch.bincount(drawn.flatten(), minlength=size) / 4000
    error = math.sqrt(num_drawn / size / 4000)
    assert (shares - num_drawn / size).abs().max() < 5 * error


def test_as_many_draws_as_weights_are_all_weights() -> None:
    """Strata of one weight each always give that weight."""
    assert torch.equal(_draw(1000, 1000, 3, CPU), torch.arange(1000))


@pytest.mark.parametrize("predictor", BY_POSITION)
@pytest.mark.parametrize("weight_range", ["auto", (-1.0, 1.0)])
def test_a_sample_is_unbiased(predictor: Any, weight_range: Any) -> None:
    """Over many samples the mean of K and of its gradients is that of all weights."""
    module = network()
    whole = loss_of(module, predictor=predictor, weight_range=weight_range)
    sampled = loss_of(module, predictor=predictor, weight_range=weight_range, sample=11)
    sampled.load_state_dict(whole.state_dict(), strict=False)
    found = []
    for _ in range(300):
        value = sampled()
        gradients = torch.autograd.grad(value, [*module.parameters(), *sampled.parameters()])
        found.append(torch.cat([value.detach().view(1), *(g.flatten() for g in gradients)]))
    value = whole()
    gradients = torch.autograd.grad(value, [*module.parameters(), *whole.parameters()])
    expected = torch.cat([value.detach().view(1), *(g.flatten() for g in gradients)])
    errors = torch.stack(found).std(0) / math.sqrt(len(found))
    deviations = (torch.stack(found).mean(0) - expected).abs()
    assert errors[0] > 0
    assert (deviations <= 5 * errors + 1e-9).all()


def test_a_sample_is_determined_by_the_count_of_steps() -> None:
    """Equal seeds draw alike, each step draws anew, and a restored loss continues its draws."""
    module = network()
    first, second = loss_of(module, sample=9), loss_of(module, sample=9)
    values = [first().item() for _ in range(6)]
    assert values == [second().item() for _ in range(6)]
    assert len(set(values)) == 6
    resumed = loss_of(module, sample=9, generator=torch.Generator().manual_seed(50))
    resumed.load_state_dict(first.state_dict())
    assert [first().item() for _ in range(3)] == [resumed().item() for _ in range(3)]


def test_a_sample_touches_only_its_own_weights() -> None:
    """Weights outside the sample get a gradient of 0, and the bits count all weights."""
    module = network()
    loss = loss_of(module, sample=9)
    loss().backward()
    touched = sum(int((gradient_of(item) != 0).sum()) for item in module.parameters())
    assert 1 < touched <= 9
    assert loss.bits().items["weights"] == pytest.approx(loss_of(module).bits().items["weights"])


@pytest.mark.parametrize("sample", [42, 43, 1000])
def test_a_sample_as_large_as_the_module_is_all_of_it(sample: int) -> None:
    """A sample of all weights draws nothing, and K is exact."""
    module = network()
    assert loss_of(module, sample=sample)().item() == pytest.approx(loss_of(module)().item())


@pytest.mark.parametrize("num_processes", [1, 2, 5, 60])
@pytest.mark.parametrize("sample", [None, 1, 20, 41])
def test_shares_cover_all_weights_once(num_processes: int, sample: Any) -> None:
    """Processes share the weights evenly, also if they outnumber the weights; the factors
    add up.
    """
    table = ParameterTable(network())
    flats, stood_for = [], 0.0
    for rank in range(num_processes):
        subsampling = Subsampling(table, sample, None)
        subset, factor = subsampling.draw(7, share_of(rank, num_processes))
        flats.append(subset.flat)
        stood_for += factor * len(subset)
    assert stood_for == pytest.approx(table.num_weights)
    drawn = torch.cat(flats)
    if sample is None:
        assert torch.equal(drawn, torch.arange(table.num_weights))
        sizes = [len(flat) for flat in flats]
        assert max(sizes) - min(sizes) <= 1
    else:
        assert (drawn.diff() >= 0).all()
        assert len(drawn) <= max(sample, min(num_processes, table.num_weights))


def test_every_kth_step_gives_k_times_k() -> None:
    """In training one of k calls gives k times K and the others give 0, so the mean is K."""
    module = network()
    loss, plain = loss_of(module, every=3), loss_of(module)
    values = []
    for _ in range(9):
        value = loss()
        value.backward()
        values.append(value.item())
    expected = plain().item()
    assert values == pytest.approx([3 * expected, 0, 0] * 3)
    assert sum(values) / 9 == pytest.approx(expected)
    gradient = torch.autograd.grad(plain(), module.get_parameter("0.weight"))[0]
    torch.testing.assert_close(gradient_of(module.get_parameter("0.weight")), 9 * gradient)


def test_between_the_steps_nothing_gets_a_gradient() -> None:
    """A skipped step can be differentiated and added to a task, and has no gradient."""
    module = network()
    loss = loss_of(module, every=2)
    loss()
    skipped = loss()
    assert skipped.dtype == torch.float64
    (skipped + 0 * module.get_parameter("0.weight").sum()).backward()
    assert module[1].weight.grad is None
    assert all(item.grad is None for item in loss.parameters())


def test_only_training_steps_are_counted() -> None:
    """Evaluation gives K itself at any count of steps, and does not advance the count."""
    module = network()
    loss, expected = loss_of(module, every=4), loss_of(module)().item()
    assert loss.counter is not None
    for count in range(5):
        assert loss.counter.steps == count
        with torch.no_grad():
            assert loss().item() == pytest.approx(expected)
        loss.eval()
        assert loss().item() == pytest.approx(expected)
        loss.train()
        loss()


def test_a_step_that_fails_is_not_counted() -> None:
    """After an error the same step can be tried again."""
    module = network()
    loss = loss_of(module, every=2)
    weight = module.get_parameter("0.weight")
    module[0].weight = nn.Parameter(weight.detach().clone())
    with pytest.raises(KolmogorovError):
        loss()
    module[0].weight = weight
    assert loss().item() > 0


def test_the_count_is_part_of_the_state() -> None:
    """A restored or copied loss skips the steps that the original would."""
    module = network()
    loss = loss_of(module, every=3)
    loss(), loss()
    restored, copied = loss_of(module, every=3), copy.deepcopy(loss)
    restored.load_state_dict(loss.state_dict())
    for other in (loss, restored, copied):
        assert [other().item() > 0 for _ in range(4)] == [False, True, False, False]


def test_every_and_sample_go_together() -> None:
    """With ``sample`` and ``every`` together the mean over steps is K."""
    module = network()
    loss = loss_of(module, every=2, sample=14)
    values = [loss().item() for _ in range(500)]
    assert values[1::2] == [0.0] * 250
    found = torch.tensor(values[::2]) / 2
    error = found.std().item() / math.sqrt(len(found))
    assert abs(found.mean().item() - loss_of(module)().item()) < 4 * error


@pytest.mark.parametrize("setting", ["sample", "every"])
@pytest.mark.parametrize("number", [0, -1, 1.5, True, "2"])
def test_impossible_counts_are_refused(setting: str, number: Any) -> None:
    """A value that is not a whole number of at least 1 gets an error that shows it."""
    with pytest.raises(KolmogorovError, match=f"expected {setting} to be a whole number") as caught:
        loss_of(network(), **{setting: number})
    assert "\n" not in str(caught.value)

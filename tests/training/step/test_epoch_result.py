"""An epoch's numbers from the losses of its steps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.training.training_runs import WITH_K, learner_of


def test_an_epochs_loss_is_the_mean_over_its_points() -> None:
    """An epoch's loss weights each batch by its number of points."""
    learner = learner_of(points=50, learning_rate=1e-30, optimizer="sgd")
    result = learner.run_epoch(1)
    assert result is not None
    data = learner.objective.data
    whole = learner.task.loss(learner.network(data.points), data.values)
    assert result.task_loss == pytest.approx(whole.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("every", "in_step"), [(3, [3, 0, 0, 3]), (2, [2, 0, 2, 0]), (7, [7, 0, 0, 0])]
)
def test_k_every_few_steps_is_measured_as_itself(
    every: int, in_step: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If k-th steps use k times K, the epoch's K is the mean of K itself over those steps."""
    learner = learner_of(**WITH_K, kolmogorov_every=every)
    assert learner.kolmogorov is not None
    seen, whole, step = [], [], learner.kolmogorov.forward

    def watched() -> Tensor:
        value = step()
        if learner.kolmogorov is not None and learner.kolmogorov.training:
            seen.append(value.item())
            whole.append(learner.objective.present_k().item())
        return value

    monkeypatch.setattr(learner.kolmogorov, "forward", watched)
    result = learner.run_epoch(1)
    assert result is not None
    assert seen == pytest.approx([k * times for k, times in zip(whole, in_step, strict=True)])
    sizes = [size if times else 0 for size, times in zip((16, 16, 16, 2), in_step, strict=True)]
    mean = sum(k * size for k, size in zip(whole, sizes, strict=True)) / sum(sizes)
    assert result.kolmogorov_loss == pytest.approx(mean, rel=1e-6)


def test_an_epoch_without_k_in_any_step_measures_it() -> None:
    """If no step of an epoch has K, the epoch's K is that of the network after it."""
    learner = learner_of(**WITH_K, kolmogorov_every=100)
    first, second = learner.run_epoch(1), learner.run_epoch(2)
    assert first is not None
    assert second is not None
    assert second.kolmogorov_loss == pytest.approx(learner.objective.present_k().item(), rel=1e-6)
    assert first.kolmogorov_loss != second.kolmogorov_loss


@pytest.mark.parametrize("every", [1, 3])
def test_steps_are_those_with_k_and_hold_k_itself(every: int) -> None:
    """Steps without K are left out, and the others have K itself, not ``every`` times K."""
    learner = learner_of(**WITH_K, points=112, kolmogorov_every=every, learning_rate=1e-30)
    assert learner.kolmogorov is not None
    with torch.no_grad():
        k = float(learner.kolmogorov())
    found = [learner.run_epoch(epoch) for epoch in (1, 2)]
    # Of steps 0 to 6 and 7 to 13, every third is 0, 3 and 6, and then 9 and 12.
    assert [len(one.step_losses) for one in found if one] == ([7, 7] if every == 1 else [3, 2])
    for one in found:
        assert one is not None
        assert all(nats == pytest.approx(k, abs=0.5) for _, nats in one.step_losses)
        nats = [nats for _, nats in one.step_losses]
        assert one.kolmogorov_loss == pytest.approx(sum(nats) / len(nats), rel=1e-5)

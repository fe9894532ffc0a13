"""The end of a training for size: what the task never feels goes, and what is sent is frozen."""

from collections.abc import Iterable

import torch
from torch import Tensor

from bitfold.entropy_coding.scales.whole_scales import logarithms
from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.description.bits import sent_predictor
from bitfold.kolmogorov.fitting.fit import fit_predictor
from bitfold.kolmogorov.grid.ranges import LearnedRange
from bitfold.kolmogorov.grid.straight_through import straight_through, with_weights
from bitfold.kolmogorov.loss import KolmogorovLoss
from bitfold.kolmogorov.predictors.laplace_logistic import ScalePredictor


@torch.no_grad()
def finish(loss: KolmogorovLoss) -> None:
    """Fit the predictor, and freeze it and the steps; scales and steps as a decoder gets them.

    What is trained afterwards is the weights alone, under exactly the code that they are sent in.
    Give it the last tenth of a training or less, at a falling rate, and `fit_predictor` once more
    at its end. Frozen parameters get no gradient, so that optimisers leave them alone.

    Source: train soft, finish hard (Guo et al. 2021); for scales and steps ours.

    Args:
        loss: of any module.

    Example:
        >>> network = torch.nn.Linear(20, 30)
        >>> kolmogorov = KolmogorovLoss(network, quantise="learned")
        >>> finish(kolmogorov)
        >>> any(item.requires_grad for item in kolmogorov.parameters())
        False
    """
    with torch.enable_grad():
        fit_predictor(loss)
    if isinstance(loss.predictor, ScalePredictor):
        described = loss.table, loss.weight_range, loss.predictor
        sent = sent_predictor(*described, loss.predictor_bits).parameters
        for name, item in loss.predictor.named_parameters():
            item.copy_(logarithms(sent[name]))
    if isinstance(loss.weight_range, LearnedRange):
        steps = loss.weight_range.steps(as_sent=True)
        loss.weight_range.log_steps.copy_(steps.log())
    for item in loss.parameters():
        item.requires_grad_(False)
        item.grad = None


def prune_dead(loss: KolmogorovLoss, task_losses: Iterable[Tensor]) -> int:
    """Set weights to 0 that no task loss has any gradient by, such as those into dead neurons.

    A neuron whose outgoing weights all decode as 0 changes nothing: the gradient by its incoming
    weights and its bias is exactly 0. So it is for a neuron that is never active and for an
    input that is never there. K alone empties them too, but slowly when the rate has fallen.

    Source: none, ours.

    Args:
        loss: of a module that is trained with its quantised weights.
        task_losses: of data enough to be sure, 0-d, taken one by one within a `quantised` block, so
            give a generator: ``(task(network(x)) for x in batches)``.

    Returns:
        How many weights decoded as something else than 0 and now do not.

    Raises:
        KolmogorovError: if there is no task loss at all.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> network = torch.nn.Sequential(torch.nn.Linear(9, 8), torch.nn.Linear(8, 1))
        >>> kolmogorov = KolmogorovLoss(network, quantise="learned")
        >>> _ = network[1].weight.data[0, :3].zero_()
        >>> points = torch.randn(64, 9)
        >>> prune_dead(kolmogorov, (network(points).square().mean() for _ in range(1))) > 0
        True
        >>> network[0].weight[:3].any().item(), network[0].weight[3:].any().item()
        (False, True)
    """
    parameters = loss.table.parameters
    is_felt = [torch.zeros_like(item, dtype=torch.bool) for item in parameters]
    num_losses = 0
    with torch.no_grad():
        decoded = straight_through(loss.table, loss.weight_range, loss.subsampling.all_weights())
    # Every loss has a graph of its own down to these.
    leaves = [item.requires_grad_() for item in decoded]
    with with_weights(loss.table, leaves):
        for task in task_losses:
            num_losses += 1
            found = torch.autograd.grad(task, leaves, allow_unused=True)
            for felt, gradient in zip(is_felt, found, strict=True):
                if gradient is not None:
                    felt.logical_or_(gradient != 0)
    if not num_losses:
        raise KolmogorovError(
            "Cannot find dead weights: expected a task loss for some data, got none. Pass a "
            "generator of losses."
        )
    with torch.no_grad():
        before = _num_other_than_zero(loss)
        for item, felt in zip(parameters, is_felt, strict=True):
            item.masked_fill_(~felt, 0)
        return before - _num_other_than_zero(loss)


def _num_other_than_zero(loss: KolmogorovLoss) -> int:
    total = loss.report().total
    return total.num_weights - total.num_zeros

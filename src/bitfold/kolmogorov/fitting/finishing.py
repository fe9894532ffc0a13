"""The end of a training for size: dead weights become 0, and everything but weights is frozen."""

from collections.abc import Iterable

import torch
from torch import Tensor

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.fitting.fit import fit_predictor
from bitfold.kolmogorov.grid.directions import directions, lengthen_directions
from bitfold.kolmogorov.grid.straight_through import straight_through, with_weights
from bitfold.kolmogorov.loss import KolmogorovLoss
from bitfold.kolmogorov.weights.division import check_whole


@torch.no_grad()
def finish(loss: KolmogorovLoss) -> None:
    """Fit the predictor, then set predictor and steps to what a decoder gets, and freeze them.

    Training afterwards moves only the weights, under exactly the code that they are sent in. Give
    it the last tenth of a training or less, at a falling rate, and call `fit_predictor` once more
    at its end. Frozen parameters get no gradient, so optimisers leave them alone. With the
    predictor ``adaptive``, steps are set to eighths of an octave, which take fewer bits.

    Source: train soft, finish hard (Guo et al. 2021).

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
    loss.predictor.finish(loss.table, loss.weight_range, loss.predictor_bits)
    loss.weight_range.finish(are_close=loss.predictor.has_close_steps)
    lengthen_directions(loss.table, loss.weight_range)
    for item in loss.parameters():
        item.requires_grad_(False)
        item.grad = None


def prune_dead(loss: KolmogorovLoss, task_losses: Iterable[Tensor]) -> int:
    """Set weights to 0 that no task loss depends on, such as weights into dead neurons.

    A neuron whose outgoing weights all decode as 0 changes nothing: the gradient by its incoming
    weights and its bias is exactly 0. The same holds for a neuron that is never active and for an
    input that is always 0. K alone empties them too, but slowly once the rate has fallen.

    Args:
        loss: of a module that is trained with its rounded weights.
        task_losses: 0-d, of enough data to be sure. Each is taken within a `quantised` block, so
            pass a generator: ``(task(network(x)) for x in batches)``.

    Returns:
        Number of weights that decoded as another value than 0 and now decode as 0.

    Raises:
        KolmogorovError: if there is no task loss.

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
    advice = "Find them in a module that is whole."
    check_whole(loss.table.shards, "find dead weights", advice)
    loss.table.check()
    parameters = loss.table.parameters
    is_felt = [torch.zeros_like(item, dtype=torch.bool) for item in parameters]
    num_losses = 0
    with torch.no_grad():
        decoded = straight_through(loss.table, loss.weight_range, loss.subsampling.all_weights())
    # The graph of every task loss ends in these tensors.
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
        kept = {id(item) for item, _ in directions(loss.table.module)}
        for item, felt in zip(parameters, is_felt, strict=True):
            if id(item) not in kept:  # a direction of zeros has no norm
                item.masked_fill_(~felt, 0)
        return before - _num_other_than_zero(loss)


def _num_other_than_zero(loss: KolmogorovLoss) -> int:
    total = loss.report().total
    return total.num_weights - total.num_zeros

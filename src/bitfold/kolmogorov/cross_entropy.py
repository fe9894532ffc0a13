"""Cross-entropy of weights shared among bins, never holding more than a chunk of weights by bins.

A row's cost is logsumexp(logits) - sum over its window of share * logit, so the shares need a
window of bins only; and since the sum is all that anyone wants, forward works out the gradients
along the way, while a chunk of logits is in the cache, and keeps nothing of that size.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bitfold.kolmogorov.bins import Bins
from bitfold.kolmogorov.predictor import Prediction
from bitfold.kolmogorov.soft_targets import Shares

# Numbers in one chunk of weights by bins: half a MiB of float32, so that the two tensors of that
# size fit into one core's second-level cache.
CHUNK_NUMEL = 2**17


class Targets(Protocol):
    """Whatever shares weights among bins."""

    def shares(self, index: Tensor) -> Shares:
        """The shares of weights at continuous bin indices ``index`` (N,)."""
        ...


def chunks(num_weights: int, num_bins: int) -> Iterator[slice]:
    """Slices of weights that hold about CHUNK_NUMEL weights by bins, but at least one weight.

    Work of up to two chunks is left in one piece: starting another costs more than the cache saves.

    Args:
        num_weights: at least 0.
        num_bins: at least 1.

    Yields:
        Consecutive slices that cover all weights.

    Example:
        >>> [part.stop for part in chunks(811, 256)], [part.stop for part in chunks(1300, 256)]
        ([811], [512, 1024, 1300])
    """
    rows = max(1, CHUNK_NUMEL // num_bins)
    if num_weights <= 2 * rows:
        rows = max(1, num_weights)
    for start in range(0, num_weights, rows):
        yield slice(start, min(start + rows, num_weights))


def bin_nats(indices: Tensor, prediction: Prediction) -> Tensor:
    """Code length of one given bin for each weight: -ln of its softmax probability.

    Source: C. E. Shannon, 1948. Carries no gradient.

    Args:
        indices: int64 (N,), bins.
        prediction: of N weights, logits over the bins.

    Returns:
        Nats (N,), dtype of the prediction.
    """
    costs = torch.empty_like(prediction.hidden[:, 0])
    matrix = prediction.weight.t()
    with torch.no_grad():
        for part in chunks(len(indices), len(prediction.bias)):
            logits = torch.addmm(prediction.bias, prediction.hidden[part], matrix)
            chosen = logits.gather(1, indices[part].unsqueeze(1)).squeeze(1)
            costs[part] = logits.logsumexp(dim=1) - chosen
    return costs


def summed_cross_entropy(
    weights: Tensor, prediction: Prediction, bins: Bins, targets: Targets
) -> Tensor:
    """Sum over weights of the cross-entropy of their shares under the predicted distribution.

    Source: the seed program's loss; the windowed and chunked form is ours. Differentiable once,
    by weights and prediction; backward may be called any number of times.

    Args:
        weights: floating (N,), within the range.
        prediction: of N weights, logits over the bins.
        bins: the grid.
        targets: how a weight is shared among bins.

    Returns:
        Nats, 0-d.
    """
    work = _Work(bins, targets, torch.is_grad_enabled())
    # PyTorch leaves Function.apply without types.
    apply: Callable[..., Tensor] = _SummedCrossEntropy.apply
    return apply(work, weights, *prediction)


class _Work(NamedTuple):
    bins: Bins
    targets: Targets
    with_gradients: bool


class _SummedCrossEntropy(torch.autograd.Function):
    """`summed_cross_entropy` with its gradients worked out in forward."""

    @staticmethod
    def forward(ctx: Any, work: _Work, *inputs: Tensor) -> Tensor:
        bins, targets = work.bins, work.targets
        weights, hidden, matrix, bias = inputs
        index = bins.continuous_index(weights)
        total = weights.new_zeros(())
        if not work.with_gradients:
            for part in chunks(len(weights), bins.num_bins):
                total += _costs(index[part], hidden[part], matrix, bias, targets)[0].sum()
            return total
        grad_index = torch.empty_like(weights)
        # Transposed, as products of few rows by many columns are several times faster.
        grad_hidden = hidden.new_empty(hidden.shape[::-1])
        grad_head = hidden.new_zeros(hidden.shape[1] + 1, bins.num_bins)
        columns = matrix.t().contiguous()
        for part in chunks(len(weights), bins.num_bins):
            costs, slopes, residual = _costs(index[part], hidden[part], matrix, bias, targets)
            total += costs.sum()
            grad_index[part] = slopes
            torch.mm(columns, residual.t(), out=grad_hidden[:, part])
            with_one = torch.cat([hidden[part], torch.ones_like(costs).unsqueeze(1)], dim=1)
            grad_head.addmm_(with_one.t(), residual)
        ctx.save_for_backward(
            grad_index.div_(bins.width), grad_hidden.t(), grad_head[:-1].t(), grad_head[-1]
        )
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        gradients = (
            grad_output * gradient if needed else None
            for gradient, needed in zip(ctx.saved_tensors, ctx.needs_input_grad[1:], strict=True)
        )
        return (None, *gradients)


def _costs(
    index: Tensor, hidden: Tensor, matrix: Tensor, bias: Tensor, targets: Targets
) -> tuple[Tensor, Tensor, Tensor]:
    """One chunk of n weights: costs and what the gradients are made of.

    Returns:
        Costs (n,); their derivative by index (n,); their derivative by the logits, softmax minus
        share, (n, bins).
    """
    bins, shares, slopes = targets.shares(index)
    logits = torch.addmm(bias, hidden, matrix.t())
    near = logits.gather(1, bins.t()).t()
    residual = torch.softmax(logits, dim=1)
    # logsumexp from the largest probability, which is at least 1 / bins and never underflows.
    logsumexp = logits.amax(dim=1) - residual.amax(dim=1).log()
    costs = logsumexp - (shares * near).sum(dim=0)
    residual.scatter_(1, bins.t(), residual.gather(1, bins.t()) - shares.t())
    # A weight's slopes add up to 0, so that logsumexp has no part in the derivative by index.
    return costs, -(slopes * near).sum(dim=0), residual

"""Cross-entropy of weights shared among bins, never holding more than a chunk of weights by bins.

A weight costs logsumexp(logits) minus the sum of share * logit over its near bins, so shares are
needed only for these bins. Forward computes the gradients together with the sum, while a chunk of
logits is in the cache, and keeps nothing of that size. This works for every type and device;
`fused` is faster for float32 on the CPU.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.sums.prediction import Prediction
from bitfold.kolmogorov.weights.chunk_sizes import chunk_size

# Elements of a chunk of weights by bins: half a MiB of float32, so that two tensors of that size
# fit into a core's second-level cache.
CHUNK_NUMEL = 2**17
_CPU = torch.device("cpu")


def chunks(num_weights: int, num_bins: int, device: torch.device = _CPU) -> Iterator[slice]:
    """Slices of weights of about CHUNK_NUMEL weights by bins each, but at least one weight.

    Up to two chunks stay in one piece, since a second one would cost more than the cache saves.

    Args:
        num_weights: at least 0.
        num_bins: at least 1.
        device: of the weights; chunks are larger on an accelerator.

    Yields:
        Consecutive slices that cover all weights.

    Example:
        >>> [part.stop for part in chunks(811, 256)], [part.stop for part in chunks(1300, 256)]
        ([811], [512, 1024, 1300])
    """
    rows = max(1, chunk_size(CHUNK_NUMEL, device) // num_bins)
    if num_weights <= 2 * rows:
        rows = max(1, num_weights)
    for start in range(0, num_weights, rows):
        yield slice(start, min(start + rows, num_weights))


def bin_nats(indices: Tensor, prediction: Prediction) -> Tensor:
    """Code length of one given bin for each weight: -ln of its softmax probability.

    Source: C. E. Shannon, 1948. The result carries no gradient.

    Args:
        indices: int64 (N,), bins.
        prediction: of N weights, logits over the bins.

    Returns:
        Nats (N,), dtype of the prediction.
    """
    hidden, head, bias = (item.detach() for item in prediction)
    costs = torch.empty_like(hidden[:, 0])
    matrix = head.t().contiguous()
    for part in chunks(len(indices), len(bias), indices.device):
        logits = torch.addmm(bias, hidden[part], matrix)
        chosen = logits.gather(1, indices[part].unsqueeze(1)).squeeze(1)
        costs[part] = logits.logsumexp(dim=1) - chosen
    return costs


def summed_cross_entropy(
    weights: Tensor, prediction: Prediction, bins: Bins, targets: Targets
) -> Tensor:
    """Sum over weights of the cross-entropy of their shares under the predicted distribution.

    Differentiable once, by weights and prediction; backward may be called repeatedly.

    Source: the seed program's loss, here over near bins and in chunks.

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
    """`summed_cross_entropy`, whose forward also computes the gradients."""

    @staticmethod
    def forward(ctx: Any, work: _Work, *inputs: Tensor) -> Tensor:
        weights, hidden, matrix, bias = inputs
        rows = _Rows(
            work.bins.continuous_index(weights),
            hidden,
            matrix.t().contiguous(),
            bias,
            grad_index=torch.empty_like(weights),
            grad_hidden=torch.empty_like(hidden, memory_format=torch.contiguous_format),
            grad_head=hidden.new_zeros(hidden.shape[1] + 1, work.bins.num_bins),
        )
        total = _sum_in_chunks(work, rows)
        if work.with_gradients:
            grad_index = rows.grad_index.div_(work.bins.width)
            head, last = rows.grad_head[:-1].t(), rows.grad_head[-1]
            ctx.save_for_backward(grad_index, rows.grad_hidden, head, last)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        gradients = (
            grad_output * gradient if needed else None
            for gradient, needed in zip(ctx.saved_tensors, ctx.needs_input_grad[1:], strict=True)
        )
        return (None, *gradients)


@dataclass(frozen=True)
class _Rows:
    """Weights and their prediction, with memory for the gradients of the sum.

    Args:
        index: (N,), continuous bin indices.
        hidden: (N, H), the predictor's last hidden values.
        columns: (H, B), the head's weights, transposed.
        bias: (B,), the head's biases.
        grad_index: (N,), written.
        grad_hidden: (N, H), written.
        grad_head: (H + 1, B), zeros on entry: columns, then biases.
    """

    index: Tensor
    hidden: Tensor
    columns: Tensor
    bias: Tensor
    grad_index: Tensor
    grad_hidden: Tensor
    grad_head: Tensor


def _sum_in_chunks(work: _Work, rows: _Rows) -> Tensor:
    total = rows.index.new_zeros(())
    for part in chunks(len(rows.index), work.bins.num_bins, rows.index.device):
        bins, shares, slopes = work.targets.shares(rows.index[part])
        hidden = rows.hidden[part]
        logits = torch.addmm(rows.bias, hidden, rows.columns)
        near = logits.gather(1, bins.t()).t()
        residual = torch.softmax(logits, dim=1)
        # logsumexp by the largest probability, which is at least 1 / bins and cannot underflow.
        total += (logits.amax(dim=1) - residual.amax(dim=1).log()).sum() - (shares * near).sum()
        if work.with_gradients:
            # softmax minus shares is the derivative by the logits.
            residual.scatter_(1, bins.t(), residual.gather(1, bins.t()) - shares.t())
            rows.grad_index[part] = -(slopes * near).sum(dim=0)
            torch.mm(residual, rows.columns.t(), out=rows.grad_hidden[part])
            with_one = torch.cat([hidden, hidden.new_ones(len(hidden), 1)], dim=1)
            rows.grad_head.addmm_(with_one.t(), residual)
    return total

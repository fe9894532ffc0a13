"""A weight predictor fitted to fixed weights, and the precision to send it in."""

import torch
from torch import Tensor

from bitfold.kolmogorov.description.bits import coded_weights
from bitfold.kolmogorov.grid.soft_assignment import LinearTargets
from bitfold.kolmogorov.loss import KolmogorovLoss
from bitfold.kolmogorov.weights.subsampling import Subsample, Subsampling
from bitfold.runtime.light_torch.plain_optimizers import plain

# Scales start at their best values; a network from positions to bins comes within 1 % in this
# number of steps.
NUM_STEPS = 150
LEARNING_RATE = 0.03
# Number of weights that a step looks at, and that the precision is chosen by.
SAMPLE = 2**14


def fit_predictor(loss: KolmogorovLoss, num_steps: int = NUM_STEPS) -> None:
    """Fit the predictor of a loss to its module's weights, and choose its ``predictor_bits``.

    Fit after training too: a predictor that was trained along with a network lags behind it. Only
    the predictor changes. The range stays, so the decoded weights are the same before and after.
    The fit minimises the cost of the bins that are sent, not the smooth K. If it does not help, the
    predictor stays as it was.

    Source: Adam (Kingma & Ba 2015) with the rate falling along a cosine.

    Args:
        loss: of any module.
        num_steps: at least 1.

    Example:
        >>> network = torch.nn.Linear(20, 30)
        >>> kolmogorov = KolmogorovLoss(network, predictor="row_column")
        >>> before = kolmogorov.bits().total
        >>> fit_predictor(kolmogorov)
        >>> kolmogorov.bits().total < before
        True
    """
    if loss.predictor.fit_sent(loss.table, loss.weight_range, loss.predictor_bits):
        return
    judged = Subsampling(loss.table, SAMPLE, None).draw(0)
    before = {name: item.clone() for name, item in loss.predictor.state_dict().items()}
    bits, precision = _best_precision(loss, judged)
    with torch.autocast(loss.like.device.type, enabled=False):
        _descend(loss, num_steps)
    bits_after, precision_after = _best_precision(loss, judged)
    if bits_after < bits:
        loss.predictor_bits = precision_after
        return
    loss.predictor.load_state_dict(before)
    loss.predictor_bits = precision


@torch.no_grad()
def adopt_range(loss: KolmogorovLoss, like: KolmogorovLoss) -> None:
    """Give a new loss the range of another loss of the same module, and fit its predictor to it.

    Args:
        loss: newly made.
        like: a loss with the same described weights, bins and kind of range.
    """
    loss.weight_range.load_state_dict(like.weight_range.state_dict())
    loss.predictor.fit(loss.subsampling.all_weights(), _sent_values(loss))


def _descend(loss: KolmogorovLoss, num_steps: int) -> None:
    parameters = [item for item in loss.predictor.parameters() if item.requires_grad]
    everything = list(loss.predictor.parameters())
    if not parameters:
        return
    subsampling, values = Subsampling(loss.table, SAMPLE, None), _sent_values(loss)
    # All weights lie at centres of bins, where linear targets share them with no other bin.
    targets = LinearTargets(loss.bins.num_bins)
    optimizer = plain(torch.optim.Adam)(parameters, lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    for step in range(num_steps):
        subset, _ = subsampling.draw(step)
        summed = loss.predictor.summed(subset, subset.take(values), targets, with_gradients=True)
        drawn = torch.tensor(len(subset), device=subset.device)
        drawn, *gradients = loss.table.shards.totals([drawn, *summed.grad_parameters])
        for item, gradient in zip(everything, gradients, strict=True):
            item.grad = gradient / drawn if item.requires_grad else None
        optimizer.step()
        schedule.step()
    optimizer.zero_grad()


@torch.no_grad()
def _sent_values(loss: KolmogorovLoss) -> Tensor:
    """The centres of the bins that the weights lie in: (N,)."""
    subset = loss.subsampling.all_weights()
    weights = loss.table.flatten().to(loss.like.dtype)
    values = loss.weight_range.values(weights, subset, as_sent=True)
    return loss.bins.centres(loss.bins.nearest(values), values.dtype)


def _best_precision(loss: KolmogorovLoss, subsample: Subsample) -> tuple[float, int]:
    """The fewest bits of weights and predictor over all precisions, and their precision."""
    subset, factor = subsample
    found = []
    for precision in loss.predictor.precisions:
        as_sent = loss.described.send_predictor(precision)
        coded = coded_weights(loss.described, as_sent, subset)
        (of_weights,) = loss.table.shards.totals([coded.bits.sum() * factor])
        found.append((float(of_weights) + float(as_sent.bits), precision))
    return min(found)

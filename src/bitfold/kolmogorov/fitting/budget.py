"""A bit budget: weights moved into the next bin until their description has a given length."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.fitting.fit import fit_predictor
from bitfold.kolmogorov.loss import KolmogorovLoss
from bitfold.kolmogorov.weights.division import check_whole

#: The accepted distance from the number of bits, as a share of it.
NEARNESS = 0.005
# Assumed change in bits by one move, until a round has measured it; and the bounds of the measured
# change.
_BITS_OF_MOVE = 8.0
_LEAST_BITS_OF_MOVE, _MOST_BITS_OF_MOVE = 1.0, 64.0
# From this number of moves on, the nearest ones are made without measuring the task for each: the
# others make up for a bad one.
_MANY = 32
# With fewer moves, this number of single moves is measured by the task, and this share of the
# missing ones is made.
_MEASURED, _SHARE = 24, 0.25
_MOST_ROUNDS = 60


@torch.no_grad()
def round_to_bits(
    loss: KolmogorovLoss,
    num_bits: int,
    task: Callable[[], float],
    *,
    nearness: float = NEARNESS,
) -> float:
    """Move weights into the next bin, one by one, until the description has a number of bits.

    Weights nearest to the next bin move first: away from 0 for a longer description, towards 0 for
    a shorter one. When few moves are missing, the task measures each candidate, and the best ones
    are made: in a small network one weight in another bin can change everything. Predictors that
    are quick to fit are fitted again after each round. Train for a while afterwards if many weights
    moved.

    Args:
        loss: of any module, with learned steps.
        num_bits: of the whole description.
        task: measures the task with the decoded weights as they are now; less is better.
        nearness: accepted distance as a share of ``num_bits``; within it nothing is moved.

    Returns:
        The bits of the description as it is now, the nearest that was found.

    Raises:
        KolmogorovError: if the loss learns no steps.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> network, points = torch.nn.Linear(40, 30), torch.randn(100, 40)
        >>> kolmogorov = KolmogorovLoss(network, quantise="learned")
        >>> wanted = network(points)
        >>> def task() -> float:
        ...     with kolmogorov.quantised():
        ...         return (network(points) - wanted).square().mean().item()
        >>> bits = round_to_bits(kolmogorov, 1000, task)
        >>> abs(bits / 1000 - 1) < 0.01, bits == kolmogorov.bits().total
        (True, True)
    """
    advice = "Choose lambda, bins and predictor so that the description gets shorter."
    check_whole(loss.table.shards, "round to a number of bits", advice)
    if loss.weight_range.steps() is None:
        raise KolmogorovError(
            "Cannot round to a number of bits: expected a loss that learns steps, got a fixed "
            "range. Pass weight_range='auto'."
        )
    bits, each = loss.bits().total, _BITS_OF_MOVE
    nearest = abs(bits - num_bits), _weights(loss)
    for _ in range(_MOST_ROUNDS):
        gap = num_bits - bits
        if abs(gap) <= nearness * num_bits:
            return bits
        moves = _Moves(loss, is_longer=gap > 0)
        wanted = math.ceil(abs(gap) / each)
        number = moves.make(wanted, task)
        if not number:
            break
        before, bits = bits, _fitted_bits(loss)
        each = abs(bits - before) / number
        each = min(max(each, _LEAST_BITS_OF_MOVE), _MOST_BITS_OF_MOVE)
        if abs(num_bits - bits) < nearest[0]:
            nearest = abs(num_bits - bits), _weights(loss)
        elif (num_bits - bits) * gap < 0 and number == 1:
            break  # one move too few, one too many: nothing lies between
    _put(loss, nearest[1])
    return _fitted_bits(loss)


class _Moves:
    """Single moves of weights into the next bin, in one direction, nearest weights first.

    Args:
        loss: with learned steps.
        is_longer: whether weights move away from 0.
    """

    def __init__(self, loss: KolmogorovLoss, *, is_longer: bool) -> None:
        self._loss = loss
        in_steps, steps = [], []
        sent_steps = loss.weight_range.steps(as_sent=True)
        assert sent_steps is not None
        for item, step in zip(loss.table.parameters, sent_steps, strict=True):
            in_steps.append((item / step.to(item.dtype)).flatten())
            steps.append(step.to(item.dtype).expand(item.numel()))
        values, self._steps = torch.cat(in_steps), torch.cat(steps)
        whole = values.round()
        size, sign = whole.abs(), torch.where(whole != 0, whole, values).sign()
        sign = torch.where(sign == 0, torch.ones_like(sign), sign)
        self._wanted = sign * (size + 1 if is_longer else size - 1)
        distance = (self._wanted - values).abs()
        possible = torch.ones_like(size) if is_longer else (size > 0)
        order = torch.where(possible > 0, distance, torch.inf).argsort(stable=True)
        self._order = order[: int(possible.sum())]

    def make(self, wanted: int, task: Callable[[], float]) -> int:
        """Make moves, as many as wanted or fewer; return their number."""
        if wanted >= _MANY:
            chosen = self._order[: wanted // 2]
        else:
            measured = self._order[:_MEASURED]
            losses = torch.tensor(
                [self._measure(int(index), task) for index in measured], device="cpu"
            )
            chosen = measured[losses.argsort(stable=True)[: math.ceil(wanted * _SHARE)]]
        self._move(chosen)
        return len(chosen)

    def _measure(self, index: int, task: Callable[[], float]) -> float:
        before = _weights(self._loss)
        self._move(torch.tensor([index], device="cpu"))
        found = task()
        _put(self._loss, before)
        return found

    def _move(self, chosen: Tensor) -> None:
        flat = torch.cat([item.flatten() for item in self._loss.table.parameters])
        flat[chosen] = (self._wanted * self._steps)[chosen]
        pieces = torch.split(flat, self._loss.table.sizes)
        for item, piece in zip(self._loss.table.parameters, pieces, strict=True):
            item.copy_(piece.view_as(item))


def _fitted_bits(loss: KolmogorovLoss) -> float:
    if loss.predictor.is_quick_to_fit:
        fit_predictor(loss)
    return loss.bits().total


def _weights(loss: KolmogorovLoss) -> list[Tensor]:
    return [item.detach().clone() for item in loss.table.parameters]


def _put(loss: KolmogorovLoss, weights: list[Tensor]) -> None:
    for item, kept in zip(loss.table.parameters, weights, strict=True):
        item.copy_(kept)

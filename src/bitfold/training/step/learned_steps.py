"""Learned quantisation steps: from soft training up to the hard finish."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from bitfold.kolmogorov import (
    KolmogorovLoss,
    begin_steps,
    finish,
    fit_predictor,
    prune_dead,
    round_to_bits,
)
from bitfold.kolmogorov.fitting.budget import NEARNESS
from bitfold.training.lambda_control.bits_lambda import TOLERANCE

#: In a checkpoint: whether steps and predictor are frozen, the predictor's bits, the best score.
FINISH_FACTS = "steps.facts"
#: Steps begin at a quarter of a tensor's root mean square: coarser steps kill narrow layers.
STEPS_TO_RMS = 4.0
#: The last one in this many epochs is trained with steps and predictor frozen.
HARD_SHARE = 10

# The tolerance of the bits, less the change that the last fitting may bring.
_LAST_NEARNESS = 0.75 * TOLERANCE
_MAX_ROUNDS = 6

_Score = tuple[float, float]


def last_soft_epoch(num_epochs: int) -> int:
    """Return the last epoch before steps and predictor are frozen.

    >>> [last_soft_epoch(num_epochs) for num_epochs in (1, 2, 10, 1000)]
    [0, 1, 9, 900]
    """
    return num_epochs - -(-num_epochs // HARD_SHARE)


class LearnedSteps:
    """Freezes, finishes and thaws learned steps before and after epochs.

    Steps and predictor learn for nine tenths of the epochs. Then they are fitted, rounded to the
    precision of the file, and frozen. The last tenth trains the weights alone, under exactly the
    code of the file. A training step can still move a weight into another bin, and in a small
    network one weight changes much. So the best of these epochs is kept, by task loss plus
    lambda K over all training points. At the end, weights without influence become 0, the
    predictor is fitted again, and the network gets its decoded weights. A run that is continued
    for more epochs thaws, and finishes again.

    With a target for the bits, weights are rounded to it before the last tenth, which trains them
    further, and again at the end if needed.

    Source: see `finish`, `prune_dead` and `round_to_bits`.

    Args:
        kolmogorov: a new loss with learned steps; they are set to their initial sizes.
        num_epochs: epochs of the whole training.
        target_bits: the wanted bits of the description, or None.
        losses: gives the task losses of all training points, as `prune_dead` takes them.
        measure: gives the mean task loss of all training points, and K.

    Attributes:
        is_hard: whether steps and predictor are frozen.
    """

    def __init__(
        self,
        kolmogorov: KolmogorovLoss,
        num_epochs: int,
        target_bits: int | None,
        losses: Callable[[], Iterable[Tensor]],
        measure: Callable[[], tuple[float, float]],
    ) -> None:
        self._kolmogorov, self._num_epochs, self._target_bits = kolmogorov, num_epochs, target_bits
        self._losses, self._measure = losses, measure
        self.is_hard = False
        self._best: tuple[_Score, list[Tensor]] | None = None
        begin_steps(kolmogorov, STEPS_TO_RMS)

    def begin(self, epoch: int) -> None:
        """Freeze or thaw steps and predictor before an epoch, counted from 1."""
        must_be_hard = epoch > last_soft_epoch(self._num_epochs)
        if must_be_hard and not self.is_hard and self._is_finite():
            if self._target_bits is not None:
                self._meet_bits(NEARNESS)
            finish(self._kolmogorov)
            self.is_hard = True
        elif self.is_hard and not must_be_hard:
            self._thaw()

    def end(self, epoch: int, weight: float) -> None:
        """Keep the weights if they are the best frozen ones; after the last epoch, finish.

        Args:
            epoch: number of the epoch that is over.
            weight: lambda in this epoch.
        """
        if not (self.is_hard and self._is_finite()):
            return
        self._nudge(epoch)
        score = self._score(weight)
        if self._best is None or score < self._best[0]:
            self._best = score, [item.detach().clone() for item in self._parameters()]
        if epoch >= self._num_epochs:
            self._conclude()

    def history(self) -> dict[str, Tensor]:
        """Return the history as tensors, by name."""
        score, weights = self._best or ((math.nan, math.nan), [])
        facts = [float(self.is_hard), float(self._kolmogorov.predictor_bits), *score]
        kept = {f"steps.best.{number}": item for number, item in enumerate(weights)}
        return {FINISH_FACTS: torch.tensor(facts, dtype=torch.float64, device="cpu"), **kept}

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        """Load the tensors from `history`.

        Raises:
            LookupError, ValueError: a tensor is missing, or belongs to another network.
        """
        is_hard, _, *score = kept[FINISH_FACTS].tolist()
        self._thaw()
        self._kolmogorov.predictor_bits = finished_bits(kept[FINISH_FACTS])
        if not is_hard:
            return
        self._kolmogorov.requires_grad_(False)
        self.is_hard = True
        if not math.isnan(score[0]):
            own = list(self._parameters())
            weights = [kept[f"steps.best.{number}"].to(item) for number, item in enumerate(own)]
            if any(a.shape != b.shape for a, b in zip(own, weights, strict=True)):
                raise ValueError("the best weights belong to another network")
            self._best = (score[0], score[1]), weights

    def _score(self, weight: float) -> _Score:
        """Return (excess of the bits over the tolerance, loss); the smaller, the better."""
        task, nats = self._measure()
        off = 0.0
        if self._target_bits is not None:
            off = abs(self._kolmogorov.bits().total / self._target_bits - 1) - TOLERANCE
        # With a target for the bits lambda still moves, so losses under it cannot be compared.
        combined = task if self._target_bits is not None else task + weight * nats
        return max(off, 0.0), combined

    @torch.no_grad()
    def _conclude(self) -> None:
        assert self._best is not None
        for item, best in zip(self._parameters(), self._best[1], strict=True):
            item.copy_(best)
        with torch.enable_grad():
            # Rounding can leave more of the network dead, and dead weights are not sent.
            for _ in range(_MAX_ROUNDS):
                if self._meet_bits(_LAST_NEARNESS):
                    break
        state = self._kolmogorov.decoded_state()
        self._kolmogorov.table.module.load_state_dict(state)

    def _nudge(self, epoch: int) -> None:
        """Meet the bits again while enough epochs are left to recover the loss."""
        hard = self._num_epochs - last_soft_epoch(self._num_epochs)
        if self._target_bits is not None and self._num_epochs - epoch >= hard / 2:
            self._meet_bits(_LAST_NEARNESS / 2)

    def _meet_bits(self, nearness: float) -> bool:
        """Prune dead weights, and round to the target bits unless they are near.

        Returns:
            Whether no rounding was needed: there is no target, or the bits were near it.
        """
        prune_dead(self._kolmogorov, self._losses())
        fit_predictor(self._kolmogorov)
        target = self._target_bits
        if target is None or abs(self._kolmogorov.bits().total / target - 1) <= nearness:
            return True
        round_to_bits(self._kolmogorov, target, self._task, nearness=nearness)
        return False

    def _task(self) -> float:
        return self._measure()[0]

    def _parameters(self) -> Iterable[Tensor]:
        return self._kolmogorov.table.parameters

    def _thaw(self) -> None:
        self._kolmogorov.requires_grad_(True)
        self.is_hard, self._best = False, None

    def _is_finite(self) -> bool:
        return bool(self._kolmogorov.table.values().isfinite().all())


def finished_bits(facts: Tensor) -> int:
    """Return the bits of each predictor parameter, from the tensor `FINISH_FACTS`.

    Raises:
        ValueError: it holds none.
    """
    bits = float(facts[1]) if facts.shape == (4,) else math.nan
    if bits not in (*range(2, 17), 32):
        raise ValueError(f"expected 2 to 16, or 32, bits in {FINISH_FACTS}, got {bits:g}")
    return int(bits)

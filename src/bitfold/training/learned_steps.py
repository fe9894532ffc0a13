"""Training a network as what a decoder gets of it, up to a hard finish."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from bitfold.kolmogorov import KolmogorovLoss, finish, fit_predictor, prune_dead
from bitfold.kolmogorov.first_steps import begin_steps

#: Steps begin at a quarter of a tensor's root mean square: coarse ones silence narrow networks.
STEPS_TO_RMS = 4.0
#: One epoch of so many, the last ones, is trained with steps and predictor frozen.
HARD_SHARE = 10


def last_soft_epoch(num_epochs: int) -> int:
    """Return the epoch after which steps and predictor are frozen.

    >>> [last_soft_epoch(num_epochs) for num_epochs in (1, 2, 10, 1000)]
    [0, 1, 9, 900]
    """
    return num_epochs - -(-num_epochs // HARD_SHARE)


class LearnedSteps:
    """What a training with learned steps does at the edges of its epochs.

    Steps and predictor learn up to nine tenths of the epochs. Then they are fitted, rounded to what
    is sent, and frozen: the last tenth moves the weights alone, under exactly the code that they
    are sent in. After the last epoch weights that nothing feels become 0, and the predictor is
    fitted once more. A run that is continued with more epochs thaws, and finishes again.

    Source: see `finish` and `prune_dead`.

    Args:
        kolmogorov: newly made, with learned steps; they are set to where such a training begins.
        num_epochs: of the whole training.

    Attributes:
        is_hard: whether steps and predictor are frozen.
    """

    def __init__(self, kolmogorov: KolmogorovLoss, num_epochs: int) -> None:
        self._kolmogorov, self._num_epochs = kolmogorov, num_epochs
        self.is_hard = False
        begin_steps(kolmogorov, STEPS_TO_RMS)

    def begin(self, epoch: int) -> None:
        """Freeze or thaw what an epoch, counted from 1, is trained without or with."""
        must_be_hard = epoch > last_soft_epoch(self._num_epochs)
        if must_be_hard and not self.is_hard and self._is_finite():
            finish(self._kolmogorov)
            self.is_hard = True
        elif self.is_hard and not must_be_hard:
            self._thaw()

    def is_last(self, epoch: int) -> bool:
        """Whether nothing is trained after an epoch."""
        return epoch >= self._num_epochs

    def conclude(self, task_losses: Iterable[Tensor]) -> None:
        """Bring the weights to their end, after the last epoch.

        Args:
            task_losses: of all training points, taken one by one as `prune_dead` does.
        """
        if self._is_finite():
            prune_dead(self._kolmogorov, task_losses)
            fit_predictor(self._kolmogorov)

    def history(self) -> Tensor:
        """Return its memory as a flat tensor."""
        return torch.tensor([self.is_hard, self._kolmogorov.predictor_bits], dtype=torch.float64)

    def restore(self, history: Tensor) -> None:
        """Take up a memory that `history` gave."""
        is_hard, predictor_bits = history.tolist()
        self._thaw()
        self._kolmogorov.predictor_bits = int(predictor_bits)
        if is_hard:
            self._kolmogorov.requires_grad_(False)
            self.is_hard = True

    def _thaw(self) -> None:
        self._kolmogorov.requires_grad_(True)
        self.is_hard = False

    def _is_finite(self) -> bool:
        return all(bool(item.isfinite().all()) for item in self._kolmogorov.table.parameters)

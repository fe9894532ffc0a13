"""The weights that one call of the loss looks at: all, a process's share, or a sample."""

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributed import ProcessGroup

from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset


class Subsample(NamedTuple):
    """Some weights, and the factor of their sum.

    Attributes:
        subset: the weights.
        factor: number of weights that each of them stands for.
    """

    subset: WeightSubset
    factor: float


class Subsampling:
    """Deals out the weights of a module, call by call.

    A ``sample`` of n weights cuts the stretch into n equal strata and draws one weight from each.
    Every weight is drawn n / N times in expectation, even a weight that lies in two strata and may
    be drawn twice. The sum times N / n is therefore unbiased.

    Source: stratified sampling, Cochran 1977, chapter 5.

    Args:
        table: the described parameters.
        sample: number of weights that a call looks at; None: all.
        group: processes that share the weights; None: one process.
    """

    def __init__(
        self, table: ParameterTable, sample: int | None, group: ProcessGroup | None
    ) -> None:
        self._table, self._sample, self.group = table, sample, group
        self._whole: dict[tuple[int, int, torch.device], WeightSubset] = {}

    def all_weights(self) -> WeightSubset:
        """All weights that lie here, without regard to processes that share them and to samples."""
        return self._stretch(0, self._table.layout.num_weights)

    def draw(self, seed: int, group: ProcessGroup | None = None) -> Subsample:
        """Draw this process's weights for one call.

        Args:
            seed: 0 to 2^63 - 1, of the sample.
            group: processes that take part in this call; None: this process alone.
        """
        total, here = self._table.num_weights, self._table.layout.num_weights
        rank, num_processes = 0, 1
        if group is not None:
            rank, num_processes = group.rank(), group.size()
        start, stop = here * rank // num_processes, here * (rank + 1) // num_processes
        stretch, size = self._stretch(start, stop), stop - start
        if self._sample is None or self._sample >= total or size == 0:
            return Subsample(stretch, 1.0)
        num_drawn = max(1, self._sample * size // total)
        chosen = start + _draw(size, num_drawn, seed, stretch.device)
        subset = WeightSubset(self._table.layout, start, stop, stretch.device, chosen=chosen)
        return Subsample(subset, size / num_drawn)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Subsampling":
        # Processes cannot be copied: a copy shares them.
        return Subsampling(copy.deepcopy(self._table, memo), self._sample, self.group)

    def _stretch(self, start: int, stop: int) -> WeightSubset:
        key = (start, stop, self._table.device)
        if key not in self._whole:
            self._whole[key] = WeightSubset(self._table.layout, *key)
        return self._whole[key]


def _draw(size: int, num_drawn: int, seed: int, device: torch.device) -> Tensor:
    """One index from each of ``num_drawn`` equal strata, ascending: int64 (num_drawn,)."""
    # Drawn on the device itself, so that nothing waits for a transfer, if it has float64.
    where = torch.device("cpu") if device.type == "mps" else device
    generator = torch.Generator(where).manual_seed(seed)
    drawn = torch.rand(num_drawn, generator=generator, dtype=torch.float64, device=where)
    strata = torch.arange(num_drawn, device=where) + drawn
    # Rounding may lift the last index to the size itself.
    return (strata * (size / num_drawn)).long().clamp_(max=size - 1).to(device)

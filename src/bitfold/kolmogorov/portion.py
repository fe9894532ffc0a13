"""Which weights one call of the loss looks at: all, a share of several processes, a sample."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributed import ProcessGroup

from bitfold.kolmogorov.parameters import ParameterTable
from bitfold.kolmogorov.places import Places


class Portion(NamedTuple):
    """Some of the weights, and how much their sum counts.

    Attributes:
        places: the weights.
        factor: how many weights each of them stands for.
    """

    places: Places
    factor: float


class Portions:
    """Deals out the weights of a module, call by call.

    Source: for ``sample`` stratified sampling, Cochran 1977, chapter 5: the stretch is cut into as
    many equal strata as weights are to be drawn, one from each. Weight i then is drawn n / N times
    in expectation, so the sum times N / n is unbiased.

    Args:
        table: the described parameters.
        sample: how many weights to look at in a call; None: all.
        group: processes that share the weights; None: one process.
    """

    def __init__(
        self, table: ParameterTable, sample: int | None, group: ProcessGroup | None
    ) -> None:
        self._table, self._sample, self.group = table, sample, group
        self._whole: dict[tuple[int, int, torch.device], Places] = {}

    @property
    def num_processes(self) -> int:
        """How many processes share the weights."""
        return 1 if self.group is None else self.group.size()

    def everything(self) -> Places:
        """All weights, whatever the share and the sample."""
        return self._stretch(0, self._table.num_weights)

    def at(self, seed: int, step: int) -> Portion:
        """This process's weights in one call."""
        total, rank = self._table.num_weights, 0 if self.group is None else self.group.rank()
        start = total * rank // self.num_processes
        stop = total * (rank + 1) // self.num_processes
        stretch = self._stretch(start, stop)
        size = stop - start
        if self._sample is None or self._sample >= total or size == 0:
            return Portion(stretch, 1.0)
        num_drawn = max(1, self._sample * size // total)
        chosen = _draw(start, size, num_drawn, seed + 2 * step * self.num_processes + rank)
        places = Places(
            self._table.layout, start, stop, stretch.device, chosen=chosen.to(stretch.device)
        )
        return Portion(places, size / num_drawn)

    def _stretch(self, start: int, stop: int) -> Places:
        key = (start, stop, self._table.device)
        if key not in self._whole:
            self._whole[key] = Places(self._table.layout, *key)
        return self._whole[key]


def _draw(start: int, size: int, num_drawn: int, seed: int) -> Tensor:
    """One flat index from each of ``num_drawn`` equal strata, ascending: int64 (num_drawn,)."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    offsets = torch.rand(num_drawn, generator=generator, dtype=torch.float64)
    strata = (torch.arange(num_drawn, dtype=torch.float64) + offsets) * (size / num_drawn)
    return strata.long().clamp_(max=size - 1) + start

"""The calls of a loss: which weights and targets each call takes, and which calls give K."""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bitfold.kolmogorov.autograd import Work, mean_nats
from bitfold.kolmogorov.description.bits import Described
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.step_counter import StepCounter
from bitfold.kolmogorov.weights.subsampling import Subsampling


class Calls:
    """Everything that a call of a loss depends on, beside the parameters' values.

    Args:
        described: the weights and their code.
        targets: how values are shared among bins.
        subsampling: deals out the weights.
        counter: of the steps; None if nothing is drawn and every call gives K.
        every: in training every k-th call gives K times k, and others give 0.
    """

    def __init__(
        self,
        described: Described,
        targets: Targets,
        subsampling: Subsampling,
        counter: StepCounter | None,
        every: int,
    ) -> None:
        self._described, self._targets, self._subsampling = described, targets, subsampling
        self._counter, self._every = counter, every
        # They stay the same, and listing them takes ten times as long as listing parameters.
        self._modules = [*described.weight_range.modules(), *described.predictor.modules()]

    def mean_nats(self, like: Tensor, *, is_training: bool) -> Tensor:
        """K in nats per weight: 0-d. With gradients, a call in training is a step.

        Args:
            like: has the dtype to compute in, and the device.
            is_training: whether the loss is in training mode.
        """
        counter = self._counter if is_training and torch.is_grad_enabled() else None
        times = 1
        if counter is not None:
            times = 0 if counter.steps % self._every else self._every
        zero = like.new_zeros((), requires_grad=True)
        nats = mean_nats(self._work(times, like.dtype)) if times else zero
        if counter is not None:
            counter.steps += 1
        return nats

    def next_targets(self) -> Targets:
        """The targets of the next step."""
        return self._targets.with_seed(self._seed("noise"))

    def _work(self, times: int, dtype: torch.dtype) -> Work:
        group = self._group()
        return Work(
            self._described,
            self.next_targets(),
            self._subsampling.draw(self._seed("sample"), group),
            group,
            dtype,
            self._parameters(),
            times,
        )

    def _parameters(self) -> list[nn.Parameter]:
        """The parameters of range and predictor, in the order of their modules."""
        found = [item for module in self._modules for item in module._parameters.values()]
        return [item for item in dict.fromkeys(found) if item is not None]

    def _group(self) -> dist.ProcessGroup | None:
        """The processes of a call: without gradients a process computes K by itself."""
        return self._subsampling.group if torch.is_grad_enabled() else None

    def _seed(self, purpose: str) -> int:
        group = self._group()
        rank = self._described.table.shards.rank if group is None else group.rank()
        return 0 if self._counter is None else self._counter.draw(purpose, rank)

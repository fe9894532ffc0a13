"""The two losses of a training, task loss and K, of the network as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.networks import CompiledNet, PolytopeNet
from bitfold.training.step.tasks import Task
from bitfold.training.step.training_data import TrainingData

# Without a graph, so many points take little memory, and small batches would take long.
_MEASURED_TOGETHER = 8192


class Objective:
    """Computes the task loss and K, for steps and for those who look on.

    With learned steps the network computes with its decoded weights: the weights that a decoder
    gets. Otherwise it computes with its own.

    Args:
        task: gives the loss of a batch.
        network: the network that learns.
        kolmogorov: K of the network, or None.
        data: training and validation points.
        is_quantised: whether the network computes with its decoded weights; needs K.
        use_compile: whether ``torch.compile`` compiles the network.
    """

    def __init__(
        self,
        task: Task,
        network: PolytopeNet,
        kolmogorov: KolmogorovLoss | None,
        data: TrainingData,
        *,
        is_quantised: bool,
        use_compile: bool,
    ) -> None:
        self.task, self.network, self.kolmogorov, self.data = task, network, kolmogorov, data
        self._quantised = kolmogorov if is_quantised else None
        self._use_compile = use_compile
        self._forward: Callable[[Tensor], Tensor] = CompiledNet(network)
        if use_compile:
            self._forward = torch.compile(network)

    def outputs(self, points: Tensor) -> Tensor:
        """Return the network's outputs at points, (N, outputs); inside `decoded`."""
        return self._forward(points)

    def task_loss(self, points: Tensor, values: Tensor) -> Tensor:
        """Return the mean task loss of a batch, a scalar with its graph; inside `decoded`."""
        return self.task.loss(self._forward(points), values)

    def decoded(self) -> AbstractContextManager[None]:
        """Let the network compute with its decoded weights while a block lasts, if it is to."""
        return nullcontext() if self._quantised is None else self._quantised.quantised()

    def decoded_state(self) -> dict[str, Tensor]:
        """Return the weights that the network computes with inside `decoded`, by name."""
        if self._quantised is None:
            return self.network.state_dict()
        return self._quantised.decoded_state()

    def present_k(self) -> Tensor:
        """Return K of every weight, in nats per weight; it counts no step of ``every``."""
        assert self.kolmogorov is not None
        self.kolmogorov.eval()
        k: Tensor = self.kolmogorov()
        self.kolmogorov.train()
        return k

    @torch.no_grad()
    def measure(self) -> tuple[float, float]:
        """Return the task loss over all training points, and K."""
        data = self.data
        total = data.points.new_zeros(())
        with self.decoded():
            for points, values in data.stored_batches(at_least=_MEASURED_TOGETHER):
                total = total + self.task_loss(points, values) * len(points)
        return float(total) / len(data.points), float(self.present_k())

    def training_losses(self) -> Iterator[Tensor]:
        """Yield the mean task loss of each batch of training points, in the stored order."""
        for points, values in self.data.stored_batches():
            yield self.task_loss(points, values)

    def terms(self) -> dict[str, Callable[[], Tensor]]:
        """Return functions that compute the task loss and K over the first batch, by name.

        K is not weighted by lambda.
        """
        points, values = self.data.first_batch()
        # An audit cannot follow what torch.compile makes of the network.
        forward = self.network if self._use_compile else self._forward

        def task() -> Tensor:
            with self.decoded():
                return self.task.loss(forward(points), values)

        terms: dict[str, Callable[[], Tensor]] = {"task": task}
        if self.kolmogorov is not None:
            terms["K"] = self.present_k
        return terms

    def gradient_norms(self) -> tuple[float, float | None, float | None]:
        """Return the norms of the gradients of the task loss and of K, each alone.

        Returns:
            Of the task loss over the first batch with respect to the network; of K, not weighted
            by lambda, with respect to the network; of K with respect to the predictor. The last
            two are None without K, and the last one is None while the predictor is frozen.
        """
        points, values = self.data.first_batch()
        own = list(self.network.parameters())
        with self.decoded():
            task = self.task_loss(points, values)
        norms = [_norm(torch.autograd.grad(task, own, allow_unused=True))]
        if self.kolmogorov is not None:
            predictor = [p for p in self.kolmogorov.parameters() if p.requires_grad]
            found = torch.autograd.grad(self.present_k(), [*own, *predictor], allow_unused=True)
            norms += [_norm(found[: len(own)])]
            norms += [_norm(found[len(own) :])] if predictor else []
        first, of_network, of_predictor = [*torch.stack(norms).tolist(), None, None][:3]
        return first, of_network, of_predictor


def _norm(gradients: tuple[Tensor | None, ...]) -> Tensor:
    norms = [torch.linalg.vector_norm(g) for g in gradients if g is not None]
    total: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return total

"""What learns: network, predictor, optimisers and points, one epoch at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bitfold.errors import ConfigError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.networks import CompiledNet, count_parameters, parse_shape
from bitfold.targets import Split, Target
from bitfold.training.config.configuration import Config
from bitfold.training.description import build_kolmogorov, side_bits
from bitfold.training.learned_steps import LearnedSteps
from bitfold.training.optimizers import (
    network_optimizers,
    predictor_optimizer,
    rate_factor,
    set_rate,
)
from bitfold.training.run import build_network
from bitfold.training.tasks import ClassificationTask, make_task
from bitfold.training.weighting.weight_choice import Problem, choose_schedule
from bitfold.training.weighting.weight_schedule import ConstantWeight, WeightSchedule

# Below this many multiplications a step most time goes into starting operations, which more threads
# do not shorten: the others are left for drawing.
_ONE_THREAD_WORK = 1e7


@dataclass(frozen=True, eq=False)
class EpochResult:
    """What an epoch gave, read from the device in one go.

    Args:
        task_loss: mean over the steps, weighted by their points.
        kolmogorov_loss: the same for K, nats per weight; None without K.
        validation_loss: task loss over the validation points, after the epoch.
        score: accuracy, or PSNR in decibels, over the validation points.
        output_spread: largest minus smallest output over the validation points.
        description_bits: length of the whole description after the epoch; None without K.
        out_of_range: weights outside the range of the bins; None without K.
        kolmogorov_weight: lambda in this epoch; 0 without K.
        steps: task loss and K of each step that K was part of.
        notice: what the choice of lambda has to say, or None.
    """

    task_loss: float
    kolmogorov_loss: float | None
    validation_loss: float
    score: float | None
    output_spread: float
    description_bits: float | None
    out_of_range: int | None
    kolmogorov_weight: float
    steps: tuple[tuple[float, float], ...] = ()
    notice: str | None = None


class Learner:
    """Holds everything that training changes, and changes it.

    Source: none, ours.

    Args:
        config: decides everything.
        target: gives points their values.
        split: which points are for training and which for validation.

    Raises:
        ConfigError: the device is not there.
    """

    def __init__(self, config: Config, target: Target, split: Split) -> None:
        self.config = config
        self.task = make_task(target.task)
        device = usable_device(config.device)
        self.network = build_network(config, target, stream(config.seed, "network")).to(device)
        self.kolmogorov = self._build_kolmogorov()
        self.steps: LearnedSteps | None = None
        if self.kolmogorov is not None and config.is_quantised:
            self.steps = LearnedSteps(
                self.kolmogorov,
                config.epochs,
                config.target_bits,
                self._training_losses,
                self._measure,
            )
        self.optimizers = network_optimizers(config, self.network)
        self.predictor_optimizers = (
            [predictor_optimizer(config, self.kolmogorov)] if self.kolmogorov is not None else []
        )
        modules = [self.network] if self.kolmogorov is None else [self.network, self.kolmogorov]
        self._parameters = [p for module in modules for p in module.parameters()]
        self.order = stream(config.seed, "order")
        self._forward: Callable[[Tensor], Tensor] = CompiledNet(self.network)
        if config.use_compile:
            self._forward = torch.compile(self.network)
        self._points, self._wanted = _on_device(target, split.training, device)
        self._validation_points, self._validation_wanted = _on_device(
            target, split.validation, device
        )
        self.weight_schedule = self._choose_weight()
        self._weight = 0.0

    def _build_kolmogorov(self) -> KolmogorovLoss | None:
        if not self.config.has_kolmogorov:
            return None
        return build_kolmogorov(self.config, self.network, stream(self.config.seed, "predictor"))

    def _choose_weight(self) -> WeightSchedule:
        if self.kolmogorov is None:
            return ConstantWeight(0.0)
        problem = Problem(
            is_classification=isinstance(self.task, ClassificationTask),
            num_points=len(self._points),
            num_channels=self._wanted[0].numel(),
            num_weights=self.kolmogorov.num_weights,
            side_bits=side_bits(self.config, self.kolmogorov),
            measure=self._measure,
        )
        return choose_schedule(self.config, problem)

    @torch.no_grad()
    def _measure(self) -> tuple[float, float]:
        """Return task loss over the training points and K as they are."""
        total = self._points.new_zeros(())
        with self.decoded():
            for points, wanted in self._stored_batches():
                total = total + self.task.loss(self._forward(points), wanted) * len(points)
        return float(total) / len(self._points), float(self._present_k())

    def _training_losses(self) -> Iterator[Tensor]:
        """Give the task loss of all training points, batch by batch."""
        for points, wanted in self._stored_batches():
            yield self.task.loss(self._forward(points), wanted)

    def _stored_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Give the training points in their stored order, and what is wanted of them."""
        size = self.config.batch_size
        return zip(torch.split(self._points, size), torch.split(self._wanted, size), strict=True)

    def decoded(self) -> AbstractContextManager[None]:
        """The network computes with what is trained, while a block lasts.

        With learned steps these are the weights that a decoder gets; otherwise its own.
        """
        if self.kolmogorov is None or self.steps is None:
            return nullcontext()
        return self.kolmogorov.quantised()

    def decoded_state(self) -> dict[str, Tensor]:
        """Return the weights that `decoded` computes with, by name."""
        if self.kolmogorov is None or self.steps is None:
            return self.network.state_dict()
        return self.kolmogorov.decoded_state()

    def _present_k(self) -> Tensor:
        """Return K itself, whatever is due in the next step, and count no step."""
        assert self.kolmogorov is not None
        self.kolmogorov.eval()
        k: Tensor = self.kolmogorov()
        self.kolmogorov.train()
        return k

    def run_epoch(
        self, epoch: int, should_stop: Callable[[], bool] | None = None
    ) -> EpochResult | None:
        """Pass over the training points once.

        Args:
            epoch: its number, from 1, which decides the learning rates.
            should_stop: asked before each step; the epoch is given up when it says so.

        Returns:
            What the epoch gave; None if it was given up, which leaves a state in mid-epoch.
        """
        factor = rate_factor(self.config, epoch)
        set_rate(self.optimizers, factor * self.config.learning_rate)
        own_rate = self.config.kolmogorov_settings.kolmogorov_lr
        set_rate(self.predictor_optimizers, factor * own_rate)
        self._weight = self.weight_schedule.weight(epoch)
        if self.steps is not None:
            self.steps.begin(epoch)
        parts: list[Tensor] = []
        sizes: list[int] = []
        has_k: list[bool] = []
        for points, wanted in self._batches():
            if should_stop is not None and should_stop():
                return None
            has_k.append(self._is_k_due())
            parts += self._step(points, wanted)
            sizes.append(len(points))
        if self.steps is not None:
            self.steps.end(epoch, self._weight)
        result = self._result(torch.stack(parts).reshape(len(sizes), -1), sizes, has_k)
        if result.description_bits is None:
            return result
        notice = self.weight_schedule.observe(epoch, result.task_loss, result.description_bits)
        return dataclasses.replace(result, notice=notice)

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self._points), generator=self.order).to(self._points.device)
        points, wanted = self._points.index_select(0, order), self._wanted.index_select(0, order)
        size = self.config.batch_size
        for start in range(0, len(points), size):
            yield points[start : start + size], wanted[start : start + size]

    def _is_k_due(self) -> bool:
        """Whether the next step has K in it."""
        counter = None if self.kolmogorov is None else self.kolmogorov.counter
        return counter is None or counter.steps % self.config.kolmogorov_every == 0

    def _step(self, points: Tensor, wanted: Tensor) -> list[Tensor]:
        """Step both optimisers; return [task loss] or [task loss, K], still on the device."""
        with self.decoded():
            task = self.task.loss(self._forward(points), wanted)
        parts = [task.detach()]
        combined = task
        if self.kolmogorov is not None:
            description = self.kolmogorov()
            parts.append(description.detach())
            combined = task + self._weight * description
        combined.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
        if self.config.grad_clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.grad_clip_norm)
        for optimizer in (*self.optimizers, *self.predictor_optimizers):
            optimizer.step()
        for parameter in self._parameters:
            parameter.grad = None
        return parts

    @torch.no_grad()
    def _result(self, parts: Tensor, sizes: list[int], has_k: list[bool]) -> EpochResult:
        with self.decoded():
            outputs = self._forward(self._validation_points)
        wanted = self._validation_wanted
        numbers = [
            *self._means(parts, sizes, has_k),
            self.task.loss(outputs, wanted),
            self.task.hits(outputs, wanted),
            (outputs.amax(0) - outputs.amin(0)).amax(),
        ]
        if self.kolmogorov is not None:
            numbers += [self.kolmogorov.bits_tensor(), self.kolmogorov.out_of_range_count()]
        first = torch.stack([number.to(parts.dtype) for number in numbers])
        task, *k = torch.cat([first, parts.flatten()]).tolist()
        nats = k.pop(0) if self.kolmogorov is not None else None
        validation, hits, spread, *rest = k
        score = self.task.score(validation, hits)
        losses = (task, nats, validation, score, spread)
        if self.kolmogorov is None:
            return EpochResult(*losses, None, None, self._weight)
        bits, outside, *by_step = rest
        every = self.config.kolmogorov_every
        pairs = zip(by_step[::2], by_step[1::2], has_k, strict=True)
        steps = tuple((task, k / every) for task, k, is_due in pairs if is_due)
        return EpochResult(*losses, bits, int(outside), self._weight, steps)

    def _means(self, parts: Tensor, sizes: list[int], has_k: list[bool]) -> list[Tensor]:
        """Return the epoch's task loss and K: means over its steps, weighted by their points."""
        weights = torch.tensor(sizes, dtype=parts.dtype, device=parts.device)
        shares = weights / sum(sizes)
        if self.kolmogorov is None or self.config.kolmogorov_every == 1:
            return list((parts * shares[:, None]).sum(0))
        if not any(has_k):
            return [(parts[:, 0] * shares).sum(), self._present_k()]
        due = weights * torch.tensor(has_k, device=parts.device)
        k = (parts[:, 1] * due).sum() / due.sum() / self.config.kolmogorov_every
        return [(parts[:, 0] * shares).sum(), k]

    def gradient_norms(self) -> tuple[float, float | None, float | None]:
        """Return the norms of the gradients of the task loss and of K, apart.

        Returns:
            Of the task loss with respect to the network, over the first batch of training points in
            their stored order; of K (not weighted by lambda) with respect to the network; of K with
            respect to the predictor. The last two are None without K, the last one also while the
            predictor is frozen.
        """
        size = self.config.batch_size
        own = list(self.network.parameters())
        with self.decoded():
            task = self.task.loss(self._forward(self._points[:size]), self._wanted[:size])
        norms = [_norm(torch.autograd.grad(task, own, allow_unused=True))]
        if self.kolmogorov is not None:
            predictor = [p for p in self.kolmogorov.parameters() if p.requires_grad]
            found = torch.autograd.grad(self._present_k(), [*own, *predictor], allow_unused=True)
            norms += [_norm(found[: len(own)])]
            norms += [_norm(found[len(own) :])] if predictor else []
        first, of_network, of_predictor = [*torch.stack(norms).tolist(), None, None][:3]
        return first, of_network, of_predictor

    def terms(self) -> dict[str, Callable[[], Tensor]]:
        """Return task loss and K (not weighted by lambda) over the first batch, to be called."""
        size = self.config.batch_size
        points, wanted = self._points[:size], self._wanted[:size]
        # What torch.compile makes of the network cannot be followed; the rest is what trains.
        forward = self.network if self.config.use_compile else self._forward

        def task() -> Tensor:
            with self.decoded():
                return self.task.loss(forward(points), wanted)

        terms: dict[str, Callable[[], Tensor]] = {"task": task}
        if self.kolmogorov is not None:
            terms["K"] = self._present_k
        return terms

    def modules(self) -> dict[str, nn.Module]:
        """Return what learns, by name."""
        modules: dict[str, nn.Module] = {"network": self.network}
        if self.kolmogorov is not None and not (self.steps is not None and self.steps.is_hard):
            modules["predictor"] = self.kolmogorov
        return modules

    def flat_weights(self) -> Tensor:
        """Return all parameters of network and predictor, flat, on the CPU."""
        return torch.cat([p.detach().reshape(-1) for p in self._parameters]).cpu()


def stream(seed: int, purpose: str) -> torch.Generator:
    """Return a generator of random numbers for one purpose, independent of the others'."""
    entropy = [seed, *purpose.encode()]
    state = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(state >> 1)


def usable_device(name: str) -> torch.device:
    """Return a device by its name.

    Raises:
        ConfigError: there is no such device here.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"Cannot use --device {name}: {reason}. Try --device cpu.") from None
    return device


def choose_threads(config: Config, target: Target) -> int:
    """Return how many threads suit a configuration that leaves it open."""
    if config.threads:
        return config.threads
    widths = parse_shape(config.shape)
    work = config.batch_size * count_parameters(target.in_features, widths, target.out_features)
    return 1 if work < _ONE_THREAD_WORK else torch.get_num_threads()


def _on_device(target: Target, indices: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    points = torch.from_numpy(target.grid.coordinates(indices)).to(device)
    return points, torch.from_numpy(target.values(indices)).to(device)


def _norm(gradients: tuple[Tensor | None, ...]) -> Tensor:
    norms = [torch.linalg.vector_norm(g) for g in gradients if g is not None]
    total: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return total

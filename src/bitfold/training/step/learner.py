"""The learner of a run: network, predictor, optimisers and points, one epoch at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.runtime.memory.parameter_memory import FlatMemory
from bitfold.targets import Split, Target
from bitfold.training.config.configuration import Config
from bitfold.training.lambda_control.lambda_choice import Problem, choose_schedule
from bitfold.training.lambda_control.lambda_schedule import ConstantLambda, LambdaSchedule
from bitfold.training.schedules.rate_schedule import rate_factor
from bitfold.training.step.construction import build_kolmogorov, build_network, side_bits
from bitfold.training.step.epoch_result import EpochResult, StepLosses
from bitfold.training.step.gradients import add_gradients, can_go_beside
from bitfold.training.step.learned_steps import LearnedSteps
from bitfold.training.step.objective import Objective
from bitfold.training.step.optimizers import (
    network_optimizers,
    predictor_optimizer,
    set_rate,
)
from bitfold.training.step.resources import random_stream, usable_device
from bitfold.training.step.tasks import ClassificationTask, make_task
from bitfold.training.step.training_data import TrainingData
from bitfold.training.whole_epoch.epoch_loop import EpochLoop
from bitfold.training.whole_epoch.support import has_known_sum, why_stepwise


class Learner:
    """Holds the state that training changes, and changes it epoch by epoch.

    Args:
        config: decides the network, its optimisers and K.
        target: gives points their values.
        split: the training and validation points.

    Attributes:
        objective: task loss and K of the network as it is.
        learned_steps: the learned quantisation steps up to their hard finish, or None.
        weight_schedule: gives each epoch its lambda.
        order: the generator that shuffles the points.

    Raises:
        ConfigError: this machine lacks the device, or ``bits:N`` is too small.
    """

    def __init__(self, config: Config, target: Target, split: Split) -> None:
        self.config = config
        self.task = make_task(target.task)
        device = usable_device(config.device)
        generator = random_stream(config.seed, "network")
        self.network = build_network(config, target, generator).to(device)
        self.kolmogorov = self._build_kolmogorov()
        self.objective = Objective(
            self.task,
            self.network,
            self.kolmogorov,
            TrainingData.of(target, split, batch_size=config.batch_size, device=device),
            is_quantised=config.kolmogorov.is_quantised,
            use_compile=config.use_compile,
        )
        self.learned_steps = self._begin_learned_steps()
        self.optimizers = network_optimizers(config, self.network)
        self.predictor_optimizers: list[torch.optim.Optimizer] = []
        # A loss may learn nothing itself, and PyTorch has no optimiser of nothing.
        if self.kolmogorov is not None and any(True for _ in self.kolmogorov.parameters()):
            self.predictor_optimizers = [predictor_optimizer(config, self.kolmogorov)]
        modules = [self.network] if self.kolmogorov is None else [self.network, self.kolmogorov]
        self._parameters = [p for module in modules for p in module.parameters()]
        self._memory = FlatMemory(())
        self.order = random_stream(config.seed, "order")
        self._epoch_loop = self._make_loop(target)
        self.weight_schedule = self._choose_weight()
        self._weight = 0.0
        is_quantised = config.kolmogorov.is_quantised
        self._can_go_beside = can_go_beside(self.kolmogorov, is_quantised=is_quantised)

    def _build_kolmogorov(self) -> KolmogorovLoss | None:
        if not self.config.has_kolmogorov:
            return None
        generator = random_stream(self.config.seed, "predictor")
        return build_kolmogorov(self.config, self.network, generator)

    def _make_loop(self, target: Target) -> EpochLoop | None:
        if self.config.epoch_loop != "compiled":
            return None
        if why_stepwise(self.config, target) is not None or not has_known_sum(self.kolmogorov):
            return None
        data = self.objective.data
        return EpochLoop(
            self.network,
            data.points,
            data.values,
            data.batch_size,
            self.optimizers,
            self.kolmogorov,
            self.predictor_optimizers[0] if self.predictor_optimizers else None,
            self.config.grad_clip_norm,
        )

    def _begin_learned_steps(self) -> LearnedSteps | None:
        settings = self.config.kolmogorov
        if self.kolmogorov is None or not settings.is_quantised:
            return None
        return LearnedSteps(
            self.kolmogorov,
            self.config.epochs,
            settings.target_bits,
            self.objective.training_losses,
            self.objective.measure,
        )

    def _choose_weight(self) -> LambdaSchedule:
        if self.kolmogorov is None:
            return ConstantLambda(0.0)
        data, kolmogorov = self.objective.data, self.kolmogorov
        problem = Problem(
            is_classification=isinstance(self.task, ClassificationTask),
            num_points=len(data.points),
            num_channels=data.values[0].numel(),
            num_weights=kolmogorov.num_weights,
            side_bits=lambda: side_bits(self.config, kolmogorov),
            measure=self.objective.measure,
        )
        return choose_schedule(self.config, problem)

    def compile_ahead(self) -> None:
        """Compile the loops that an epoch calls last; nothing is trained.

        A process of its own does this while the trainer compiles what it calls first.
        """
        if self._epoch_loop is not None:
            self._epoch_loop.compile_ahead()
        if self.kolmogorov is not None:
            self.kolmogorov.bits_tensor()

    def run_epoch(
        self, epoch: int, should_stop: Callable[[], bool] | None = None
    ) -> EpochResult | None:
        """Pass over the training points once.

        Args:
            epoch: its number, from 1, which decides the learning rates.
            should_stop: asked before each step; if it returns True, the epoch is given up.

        Returns:
            The numbers of the epoch; None if it was given up, which leaves the state of mid-epoch.
        """
        self._begin_epoch(epoch)
        if self._epoch_loop is not None and self._epoch_loop.can_run():
            steps = self._run_loop(self._epoch_loop, should_stop)
        else:
            steps = self._run_steps(should_stop)
        if steps is None:
            return None
        if self.learned_steps is not None:
            self.learned_steps.end(epoch, self._weight)
        result = self._result(steps)
        if result.description_bits is None:
            return result
        notice = self.weight_schedule.observe(epoch, result.task_loss, result.description_bits)
        return dataclasses.replace(result, notice=notice)

    def _run_steps(self, should_stop: Callable[[], bool] | None) -> StepLosses | None:
        """Train an epoch step by step; None if it was given up."""
        steps = StepLosses(self.config.kolmogorov.every)
        for points, values in self.objective.data.shuffled_batches(self.order):
            if should_stop is not None and should_stop():
                return None
            has_k = self._is_k_due()
            steps.add(self._step(points, values), num_points=len(points), has_k=has_k)
        return steps

    def _run_loop(
        self, loop: EpochLoop, should_stop: Callable[[], bool] | None
    ) -> StepLosses | None:
        """Train an epoch by the compiled loop; None if it was given up."""
        data = self.objective.data
        losses = loop.run(data.shuffled_order(self.order), self._weight, should_stop)
        if losses is None:
            return None
        num_points = len(data.points)
        return StepLosses.of(losses, num_points=num_points, batch_size=data.batch_size)

    def _begin_epoch(self, epoch: int) -> None:
        factor = rate_factor(self.config.used_lr_schedule, self.config.epochs, epoch)
        set_rate(self.optimizers, factor * self.config.learning_rate)
        set_rate(self.predictor_optimizers, factor * self.config.kolmogorov.lr)
        self._weight = self.weight_schedule.weight(epoch)
        if self.learned_steps is not None:
            self.learned_steps.begin(epoch)

    def _is_k_due(self) -> bool:
        """Whether the next step computes K."""
        counter = None if self.kolmogorov is None else self.kolmogorov.counter
        return counter is None or counter.steps % self.config.kolmogorov.every == 0

    def _step(self, points: Tensor, values: Tensor) -> list[Tensor]:
        """Step all optimisers; return [task loss] or [task loss, K], still on the device."""

        def task_loss() -> Tensor:
            with self.objective.decoded():
                return self.objective.task_loss(points, values)

        is_beside = self._can_go_beside and self._is_k_due()
        losses = add_gradients(task_loss, self.kolmogorov, self._weight, is_beside=is_beside)
        if self.config.grad_clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.grad_clip_norm)
        for optimizer in (*self.optimizers, *self.predictor_optimizers):
            optimizer.step()
        for parameter in self._parameters:
            parameter.grad = None
        return losses

    @torch.no_grad()
    def _result(self, steps: StepLosses) -> EpochResult:
        validation = self._validate()
        losses = steps.stacked()
        numbers = [*steps.means(losses, self.objective.present_k), *validation]
        if self.kolmogorov is not None:
            numbers += [self.kolmogorov.bits_tensor(), self.kolmogorov.out_of_range_count()]
        # One transfer: each would wait for the device.
        first = torch.stack([number.to(losses.dtype) for number in numbers])
        read = torch.cat([first, losses.flatten()]).tolist()
        if self.kolmogorov is None:
            task, validation, hits, spread = read[: len(numbers)]
            score = self.task.score(validation, hits)
            return EpochResult(task, None, validation, score, spread, None, None, self._weight)
        task, k, validation, hits, spread, bits, outside = read[: len(numbers)]
        score = self.task.score(validation, hits)
        by_step = steps.with_k(read[len(numbers) :])
        return EpochResult(
            task, k, validation, score, spread, bits, int(outside), self._weight, by_step
        )

    def _validate(self) -> list[Tensor]:
        """Return loss, hits and spread of the outputs over the validation points."""
        data = self.objective.data
        with self.objective.decoded():
            outputs = self.objective.outputs(data.validation_points)
        return [
            self.task.loss(outputs, data.validation_values),
            self.task.hits(outputs, data.validation_values),
            (outputs.amax(0) - outputs.amin(0)).amax(),
        ]

    def modules(self) -> dict[str, nn.Module]:
        """Return the modules that learn at present, by name."""
        modules: dict[str, nn.Module] = {"network": self.network}
        is_frozen = self.learned_steps is not None and self.learned_steps.is_hard
        if self.kolmogorov is not None and not is_frozen:
            modules["predictor"] = self.kolmogorov
        return modules

    def flat_weights(self) -> Tensor:
        """Return all parameters of network and predictor, flat, on the CPU."""
        if not self._memory.is_that_of(self._parameters):
            self._memory = FlatMemory(self._parameters)
        if self._memory.views is not None:
            return torch.from_numpy(self._memory.flat())
        return torch.cat([p.detach().reshape(-1) for p in self._parameters]).cpu()

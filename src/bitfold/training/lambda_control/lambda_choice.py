"""The schedule of lambda that a configuration asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bitfold.training.config.configuration import Config
from bitfold.training.lambda_control.bits_lambda import BitsLambda
from bitfold.training.lambda_control.lambda_schedule import ConstantLambda, LambdaSchedule, WarmUp
from bitfold.training.lambda_control.mdl_lambda import (
    MdlLambda,
    classification_weight,
    regression_weight,
)


@dataclass(frozen=True)
class Problem:
    """The facts besides the configuration that decide lambda.

    Args:
        is_classification: whether the task loss is a mean negative log-likelihood in nats;
            otherwise it is a mean squared error.
        num_points: number of training points.
        num_channels: number of values of a point, for regression.
        num_weights: number of weights that K describes.
        side_bits: gives the bits of the description that do not depend on lambda.
        measure: gives (task loss, K) of the network at present.
    """

    is_classification: bool
    num_points: int
    num_channels: int
    num_weights: int
    side_bits: Callable[[], float]
    measure: Callable[[], tuple[float, float]]


def choose_schedule(config: Config, problem: Problem) -> LambdaSchedule:
    """Return the schedule that ``kolmogorov_weight`` and ``kolmogorov_warmup`` ask for.

    Raises:
        ConfigError: ``bits:N`` with an N that ``side_bits`` alone reach.
    """
    schedule: LambdaSchedule
    if config.kolmogorov.weight == "mdl":
        schedule = _mdl(config, problem)
    elif config.kolmogorov.target_bits is not None:
        schedule = BitsLambda(
            config.kolmogorov.target_bits,
            problem.side_bits(),
            problem.measure,
            num_idle_epochs=config.kolmogorov.warmup,
        )
    else:
        schedule = ConstantLambda(float(config.kolmogorov.weight))
    warmup = config.kolmogorov.warmup
    return WarmUp(schedule, warmup) if warmup else schedule


def _mdl(config: Config, problem: Problem) -> LambdaSchedule:
    num_weights = problem.num_weights
    if problem.is_classification:
        return ConstantLambda(classification_weight(num_weights, problem.num_points))
    num_values = problem.num_points * problem.num_channels
    noise = config.kolmogorov.noise_std
    if noise is not None:
        return ConstantLambda(regression_weight(num_weights, num_values, noise * noise))
    return MdlLambda(num_weights, num_values, lambda: problem.measure()[0])

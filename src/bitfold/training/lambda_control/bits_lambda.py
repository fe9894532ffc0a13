"""A controller of lambda that meets a given number of bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from bitfold.errors import ConfigError
from bitfold.training.lambda_control.lambda_schedule import LambdaSchedule

#: The largest relative distance of the description from the target.
TOLERANCE = 0.02
#: The target counts as met after this many epochs in a row within the tolerance.
SETTLED_EPOCHS = 10
#: The target counts as out of reach after this many epochs without progress at an end of
#: lambda's range.
STUCK_EPOCHS = 50

# At the start lambda * K is this share of the task loss: K matters, and the task leads.
_START_SHARE = 0.1
# Lambda stays between these multiples of its start. At the upper end lambda * K is ten times the
# task loss at the start: a larger lambda only lengthens SGD's steps. At the lower end Adam's
# epsilon begins to outweigh the predictor's gradient.
_LEAST, _LARGEST = 1e-4, 1e2
# The error should fall by a factor e in this many epochs.
_TIME_CONSTANT_EPOCHS = 10.0
# Change of ln(lambda) per change of 1 in the error. Measured: ten times the lambda saves only a
# part of the weights' bits, and saves it slowly, so a small gain would take hundreds of epochs.
# If a description responds more strongly, each swing halves the gain.
_LARGEST_GAIN, _LEAST_GAIN = 50.0, 0.2
_GAIN_GROWTH = 1.05
_SWING = 0.2  # steps of ln(lambda) back and forth that are larger than any observed noise
_NEAR = 0.02  # an error that needs no larger gain, and that noise seldom exceeds on both sides
_LARGEST_STEP = 0.3
_LARGEST_ERROR = 1.0
_PROGRESS = 0.01


@dataclass
class _State:
    """The state from epoch to epoch: all numbers, as a checkpoint holds tensors.

    Args:
        target: the wanted bits.
        start: ln(lambda) at the beginning; NaN before that.
        log_weight: ln(lambda) of the next epoch.
        gain: change of ln(lambda) per change of 1 in the error.
        step: the last change of ln(lambda).
        error: error of the last epoch; NaN before the first.
        bits: bits of the last epoch; NaN before the first.
        num_within: epochs in a row within the tolerance.
        num_stuck: epochs in a row without progress at an end of the range.
        best: least absolute error while at that end.
        was_met: 1 once the notice that the target is met was sent.
        was_stuck: 1 once the notice that the target is out of reach was sent.
    """

    target: float
    start: float = math.nan
    log_weight: float = math.nan
    gain: float = _LARGEST_GAIN
    step: float = 0.0
    error: float = math.nan
    bits: float = math.nan
    num_within: float = 0.0
    num_stuck: float = 0.0
    best: float = math.inf
    was_met: float = 0.0
    was_stuck: float = 0.0


class BitsLambda(LambdaSchedule):
    """A controller that moves lambda until the whole description has the wanted bits.

    Lambda can change all bits but ``side_bits``. The error e is the logarithm of these bits over
    their wanted number. After each epoch ln(lambda) moves by gain * (change of e + e / T). So
    lambda rests while e falls by a factor of 2.7 in T epochs, and otherwise makes e fall faster or
    slower. The gain is halved when steps or errors swing back and forth, and grows again while an
    error persists. A step is at most 0.3. Lambda stays within a range whose ends also stop the
    sum, so no windup is left when the error changes its sign.

    Source: a PI controller in velocity form (Astrom & Hagglund 1995, section 3.5), on logarithms;
    RECOMBINER (He et al. 2024) multiplies and divides lambda until a size is met.

    Args:
        num_bits: the wanted `Description.total`.
        side_bits: its part that does not depend on lambda: predictor, ranges and the like.
        measure: gives (task loss, K) before the first epoch.
        num_idle_epochs: first epochs in which lambda does not move, such as those of a warm-up.

    Raises:
        ConfigError: ``side_bits`` alone reach ``num_bits``.

    >>> schedule = BitsLambda(3000, 2500.0, lambda: (0.2, 4.0))
    >>> round(schedule.weight(1), 6)
    0.005
    >>> for epoch, bits in ((1, 3500.0), (2, 3500.0)):
    ...     schedule.observe(epoch, 0.2, bits)
    >>> round(schedule.weight(3), 6)  # there are too many bits, and they do not fall
    0.006749
    """

    name = "bits"

    def __init__(
        self,
        num_bits: int,
        side_bits: float,
        measure: Callable[[], tuple[float, float]],
        *,
        num_idle_epochs: int = 0,
    ) -> None:
        if num_bits <= side_bits:
            raise ConfigError(
                f"Cannot use `kolmogorov_weight='bits:{num_bits}'`: expected more than the "
                f"{side_bits:,.0f} bits of the predictor, the ranges and all else that lambda does "
                "not change. Ask for more bits, or give a smaller `kolmogorov_shape`, fewer "
                "`kolmogorov_bins` or fewer `kolmogorov_predictor_bits`."
            )
        self._num_bits, self._side_bits, self._measure = num_bits, side_bits, measure
        self._num_idle_epochs = num_idle_epochs
        self._state = _State(float(num_bits))

    def weight(self, epoch: int) -> float:
        """Return the present lambda; the first call measures where it starts."""
        state = self._state
        if math.isnan(state.start):
            task, nats = self._measure()
            share = _START_SHARE * task / nats if task > 0 and nats > 0 else math.nan
            is_usable = math.isfinite(share) and share > 0
            state.start = state.log_weight = math.log(share if is_usable else _START_SHARE)
        return math.exp(state.log_weight)

    def observe(self, epoch: int, task: float, bits: float) -> str | None:
        """Move lambda; return a notice once the target is met, and once it is out of reach."""
        if not math.isfinite(bits):
            return None
        state = self._state
        wanted = self._num_bits - self._side_bits
        error = math.log(max(bits - self._side_bits, 1e-9) / wanted)
        error = min(max(error, -_LARGEST_ERROR), _LARGEST_ERROR)
        if epoch > self._num_idle_epochs and not math.isnan(state.error):
            self._move(error)
        state.error, state.bits = error, bits
        return self._say_met(epoch) or self._say_stuck(epoch)

    def _move(self, error: float) -> None:
        state = self._state
        step = state.gain * (error - state.error + error / _TIME_CONSTANT_EPOCHS)
        step = min(max(step, -_LARGEST_STEP), _LARGEST_STEP)
        if _swings(step, state.step, _SWING) or _swings(error, state.error, _NEAR):
            state.gain = max(0.5 * state.gain, _LEAST_GAIN)
        elif error * state.error > 0 and abs(error) > _NEAR:
            state.gain = min(_GAIN_GROWTH * state.gain, _LARGEST_GAIN)
        state.step = step
        state.log_weight = min(max(state.log_weight + step, self._least), self._largest)

    @property
    def _least(self) -> float:
        return self._state.start + math.log(_LEAST)

    @property
    def _largest(self) -> float:
        return self._state.start + math.log(_LARGEST)

    @property
    def _is_within(self) -> bool:
        return abs(self._state.bits - self._num_bits) <= TOLERANCE * self._num_bits

    def _say_met(self, epoch: int) -> str | None:
        state = self._state
        state.num_within = state.num_within + 1 if self._is_within else 0
        if state.num_within < SETTLED_EPOCHS or state.was_met:
            return None
        state.was_met = 1.0
        return (
            f"The description has {state.bits:,.0f} bits at epoch {epoch}, and has been within "
            f"{TOLERANCE:.0%} of bits:{self._num_bits} for {SETTLED_EPOCHS} epochs "
            f"(lambda {self.weight(epoch):.3g})."
        )

    def _say_stuck(self, epoch: int) -> str | None:
        state = self._state
        too_long = state.bits > self._num_bits
        end = self._largest if too_long else self._least
        if self._is_within or state.log_weight != end:
            state.num_stuck, state.best = 0.0, math.inf
            return None
        if abs(state.error) < state.best - _PROGRESS:
            state.num_stuck, state.best = 0.0, abs(state.error)
        state.num_stuck += 1
        if state.num_stuck < STUCK_EPOCHS or state.was_stuck:
            return None
        state.was_stuck = 1.0
        size, advice = ("smallest", "Ask for fewer bits, or more `kolmogorov_bins`.")
        if too_long:
            size, advice = ("largest", "Ask for more bits, or fewer `kolmogorov_bins`.")
        return (
            f"bits:{self._num_bits} seems out of reach: with lambda at its {size} "
            f"({self.weight(epoch):.3g}) the description has stayed at about {state.bits:,.0f} "
            f"bits for {STUCK_EPOCHS} epochs, up to epoch {epoch}. {advice}"
        )

    def conclusion(self) -> str | None:
        """Return by how much the target was missed; None if it was met."""
        bits = self._state.bits
        if math.isnan(bits) or self._is_within:
            return None
        return (
            f"bits:{self._num_bits} was not met: the description has {bits:,.0f} bits, "
            f"{bits / self._num_bits - 1:+.1%}."
        )

    def history(self) -> Tensor:
        """Return its history."""
        return torch.tensor(list(asdict(self._state).values()), dtype=torch.float64, device="cpu")

    def restore(self, history: Tensor) -> None:
        """Load a history; if its target differs, load only lambda."""
        state = _State(*history.tolist())
        if state.target != self._num_bits:
            start, log_weight = state.start, state.log_weight
            state = _State(float(self._num_bits), start, log_weight)
        self._state = state


def _swings(now: float, before: float, least: float) -> bool:
    return now * before < 0 and min(abs(now), abs(before)) > least

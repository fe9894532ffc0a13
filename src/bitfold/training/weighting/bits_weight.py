"""Lambda as it must be for a description of a given length."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from bitfold.errors import ConfigError
from bitfold.training.weighting.weight_schedule import WeightSchedule

#: How near to the target the description must come, as a share of it.
TOLERANCE = 0.02
#: Epochs in a row within the tolerance after which the target counts as met.
SETTLED_EPOCHS = 10
#: Epochs at an end of lambda's range without progress after which it counts as out of reach.
STUCK_EPOCHS = 50

# At the start lambda * K is this share of the task loss: K has a say, and the task leads.
_START_SHARE = 0.1
# Lambda stays between these multiples of its start. At the upper end lambda * K is ten times the
# task loss that training began with: more changes only the length of SGD's steps. At the lower
# end Adam's epsilon begins to outweigh the predictor's gradient.
_LEAST, _LARGEST = 1e-4, 1e2
# The error is to fall by a factor e in this many epochs.
_TIME_CONSTANT_EPOCHS = 10.0
# Change of ln(lambda) for a change of 1 in the error. Ten times the lambda was measured to take
# only a part off the weights' bits in the end, little of it at once: a small gain would take
# hundreds of epochs. Where a description answers more strongly the gain is halved at each swing.
_LARGEST_GAIN, _LEAST_GAIN = 50.0, 0.2
_GAIN_GROWTH = 1.05
_SWING = 0.2  # steps of ln(lambda) to and fro that no noise was seen to make
_NEAR = 0.02  # an error that needs no larger gain, and that noise seldom makes on both sides
_LARGEST_STEP = 0.3
_LARGEST_ERROR = 1.0
_PROGRESS = 0.01


@dataclass
class _Memory:
    """What is remembered from epoch to epoch; all numbers, as a checkpoint holds tensors.

    Args:
        target: bits that were asked for.
        start: ln(lambda) at the beginning; NaN before it.
        log_weight: ln(lambda) of the epoch to come.
        gain: change of ln(lambda) for a change of 1 in the error.
        step: the last change of ln(lambda).
        error: of the last epoch; NaN before the first.
        bits: of the last epoch.
        num_within: epochs in a row within the tolerance.
        num_stuck: epochs in a row without progress at an end of the range.
        best: least error in size while at that end.
        was_met: 1 once it was said that the target is met.
        was_stuck: 1 once it was said that it is out of reach.
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


class BitsWeight(WeightSchedule):
    """A controller that moves lambda until the whole description has as many bits as asked.

    The error e is the logarithm of the bits that lambda can change (all but ``side_bits``) over
    those that are wanted. After each epoch ln(lambda) moves by gain * (change of e + e / T): it
    rests while e falls by a factor of 2.7 in T epochs, and otherwise makes it fall faster or
    slower. The gain is halved when steps or errors go to and fro, and grows again while an error
    stays. A step is at most 0.3, and lambda stays within a range, whose end stops the sum: there is
    nothing to unwind when the error changes its sign.

    Source: a PI controller in velocity form (Astrom & Hagglund 1995, section 3.5), on logarithms;
    multiplying and dividing lambda until a size is met is RECOMBINER's (He et al. 2024).

    Args:
        num_bits: what `Description.total` should be.
        side_bits: its part that no lambda changes: predictor, ranges and the like.
        measure: gives (task loss, K) before the first epoch.
        num_idle_epochs: epochs in which it only looks on, such as those of a warm-up.

    Raises:
        ConfigError: ``side_bits`` alone are as many as all bits may be.

    >>> schedule = BitsWeight(3000, 2500.0, lambda: (0.2, 4.0))
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
        self._memory = _Memory(float(num_bits))

    def weight(self, epoch: int) -> float:
        """Return lambda as it was moved last."""
        memory = self._memory
        if math.isnan(memory.start):
            task, nats = self._measure()
            share = _START_SHARE * task / nats if task > 0 and nats > 0 else math.nan
            is_usable = math.isfinite(share) and share > 0
            memory.start = memory.log_weight = math.log(share if is_usable else _START_SHARE)
        return math.exp(memory.log_weight)

    def observe(self, epoch: int, task: float, bits: float) -> str | None:
        """Move lambda; say once when the target is met, and once when it is out of reach."""
        if not math.isfinite(bits):
            return None
        memory = self._memory
        wanted = self._num_bits - self._side_bits
        error = math.log(max(bits - self._side_bits, 1e-9) / wanted)
        error = min(max(error, -_LARGEST_ERROR), _LARGEST_ERROR)
        if epoch > self._num_idle_epochs and not math.isnan(memory.error):
            self._move(error)
        memory.error, memory.bits = error, bits
        return self._say_met(epoch) or self._say_stuck(epoch)

    def _move(self, error: float) -> None:
        memory = self._memory
        step = memory.gain * (error - memory.error + error / _TIME_CONSTANT_EPOCHS)
        step = min(max(step, -_LARGEST_STEP), _LARGEST_STEP)
        if _swings(step, memory.step, _SWING) or _swings(error, memory.error, _NEAR):
            memory.gain = max(0.5 * memory.gain, _LEAST_GAIN)
        elif error * memory.error > 0 and abs(error) > _NEAR:
            memory.gain = min(_GAIN_GROWTH * memory.gain, _LARGEST_GAIN)
        memory.step = step
        memory.log_weight = min(max(memory.log_weight + step, self._least), self._largest)

    @property
    def _least(self) -> float:
        return self._memory.start + math.log(_LEAST)

    @property
    def _largest(self) -> float:
        return self._memory.start + math.log(_LARGEST)

    @property
    def _is_within(self) -> bool:
        return abs(self._memory.bits - self._num_bits) <= TOLERANCE * self._num_bits

    def _say_met(self, epoch: int) -> str | None:
        memory = self._memory
        memory.num_within = memory.num_within + 1 if self._is_within else 0
        if memory.num_within < SETTLED_EPOCHS or memory.was_met:
            return None
        memory.was_met = 1.0
        return (
            f"The description has {memory.bits:,.0f} bits at epoch {epoch}, and has been within "
            f"{TOLERANCE:.0%} of bits:{self._num_bits} for {SETTLED_EPOCHS} epochs "
            f"(lambda {self.weight(epoch):.3g})."
        )

    def _say_stuck(self, epoch: int) -> str | None:
        memory = self._memory
        too_long = memory.bits > self._num_bits
        end = self._largest if too_long else self._least
        if self._is_within or memory.log_weight != end:
            memory.num_stuck, memory.best = 0.0, math.inf
            return None
        if abs(memory.error) < memory.best - _PROGRESS:
            memory.num_stuck, memory.best = 0.0, abs(memory.error)
        memory.num_stuck += 1
        if memory.num_stuck < STUCK_EPOCHS or memory.was_stuck:
            return None
        memory.was_stuck = 1.0
        size, advice = ("smallest", "Ask for fewer bits, or more `kolmogorov_bins`.")
        if too_long:
            size, advice = ("largest", "Ask for more bits, or fewer `kolmogorov_bins`.")
        return (
            f"bits:{self._num_bits} seems out of reach: with lambda at its {size} "
            f"({self.weight(epoch):.3g}) the description has stayed at about {memory.bits:,.0f} "
            f"bits for {STUCK_EPOCHS} epochs, up to epoch {epoch}. {advice}"
        )

    def conclusion(self) -> str | None:
        """Say by how much the target was missed, if it was."""
        bits = self._memory.bits
        if math.isnan(bits) or self._is_within:
            return None
        return (
            f"bits:{self._num_bits} was not met: the description has {bits:,.0f} bits, "
            f"{bits / self._num_bits - 1:+.1%}."
        )

    def history(self) -> Tensor:
        """Return everything it remembers."""
        return torch.tensor(list(asdict(self._memory).values()), dtype=torch.float64)

    def restore(self, history: Tensor) -> None:
        """Take up a memory; of one with another target only lambda."""
        memory = _Memory(*history.tolist())
        if memory.target != self._num_bits:
            start, log_weight = memory.start, memory.log_weight
            memory = _Memory(float(self._num_bits), start, log_weight)
        self._memory = memory


def _swings(now: float, before: float, least: float) -> bool:
    return now * before < 0 and min(abs(now), abs(before)) > least

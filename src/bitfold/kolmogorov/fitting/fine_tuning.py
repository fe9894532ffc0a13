"""`fine_tune`: the few epochs with K that make a trained module short."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.fitting.finishing import finish, prune_dead
from bitfold.kolmogorov.fitting.first_steps import begin_steps
from bitfold.kolmogorov.fitting.fit import fit_predictor
from bitfold.kolmogorov.loss import KolmogorovLoss
from bitfold.runtime.display.notices import Notify, notifying
from bitfold.runtime.module_state import copied
from bitfold.runtime.wrapped_modules import unwrap

# A trained network works with steps of a quarter of the root mean square; K makes them longer.
_STEPS_TO_RMS = 4.0
# The share of the steps in which rates rise, and after which predictor and steps are frozen.
_RISING, _SOFT = 0.1, 0.9
# Steps and scales learn faster than weights.
_OWN_RATES = 10.0

TaskLoss = Callable[[Any, Any], Tensor]
"""The mean loss of outputs and targets, 0-d."""


class FineTuned(NamedTuple):
    """What `bitfold.write_model` takes, in this order.

    Attributes:
        module: a copy of the module, with the weights that a decoder gets.
        kolmogorov: the loss that describes it.
    """

    module: nn.Module
    kolmogorov: KolmogorovLoss


def fine_tune(
    module: nn.Module,
    loader: Iterable[Any],
    task_loss: TaskLoss | None = None,
    *,
    epochs: int = 10,
    strength: float = 0.3,
    rate: float = 1e-3,
    progress: bool | Notify = False,
) -> FineTuned:
    """Train a module that is trained already for some epochs more, so that it gets short.

    It computes with the rounded weights while steps, scales and weights learn; the last tenth of
    the training moves weights only, under exactly the code that they are written in. Dead weights
    are set to 0 then. The defaults are the recipe of the LeNets in ``docs/small-models.md``, with
    fewer epochs and without moved pictures; they were tried on these networks only.

    Args:
        module: any module with trainable parameters; it stays as it is.
        loader: batches of inputs and targets, in a list, a ``DataLoader``, or anything else that
            can be gone through again: ``epochs`` + 2 times. Inputs are a tensor, a tuple of
            several, or a mapping of inputs by name.
        task_loss: of outputs and targets, their mean over samples. None: the cross-entropy for
            targets that are whole numbers, else the mean square of the difference.
        epochs: at least 1; more give a smaller error.
        strength: the weight of a nat of the file against a nat of the loss of all samples, > 0.
            Half of it gives a longer and more exact file.
        rate: Adam's for the weights at its highest, > 0; steps and scales learn ten times as fast.
        progress: whether a line on standard error says what is being done; or a function that is
            called with such lines.

    Returns:
        A copy of the module and its loss: ``bitfold.write_model(path, *fine_tune(...))``.

    Raises:
        KolmogorovError: if a setting is out of bounds, the loader can be gone through only once or
            has no samples, a batch is no pair, or the loss is not finite.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> network = nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, 2))
        >>> points = torch.randn(256, 9)
        >>> batches = list(zip(points.split(64), (points[:, 0] > 0).long().split(64)))
        >>> tuned = fine_tune(network, batches, epochs=30, rate=1e-2)
        >>> tuned.kolmogorov.bits().total < KolmogorovLoss(network).bits().total / 4
        True
    """
    _check(loader, epochs, strength, rate)
    tuned = copied(unwrap(module))
    modes = [(part, part.training) for part in tuned.modules()]
    num_batches, num_samples = _count(loader)
    kolmogorov = KolmogorovLoss(tuned, quantise="learned")
    begin_steps(kolmogorov, _STEPS_TO_RMS)
    task = _Task(tuned, loader, task_loss or _usual_loss)
    weight = strength * kolmogorov.num_weights / num_samples
    with notifying(progress) as notify:
        _train(kolmogorov, task, (epochs, num_batches), (weight, rate), notify)
        notify("setting dead weights to 0")
        tuned.eval()
        prune_dead(kolmogorov, (loss for loss, _ in task.losses()))
        fit_predictor(kolmogorov)
    for part, mode in modes:
        part.training = mode
    tuned.load_state_dict(kolmogorov.decoded_state())
    return FineTuned(tuned, kolmogorov)


class _Task:
    """The loss of each batch of a loader."""

    def __init__(self, module: nn.Module, loader: Iterable[Any], loss: TaskLoss) -> None:
        self.module, self._loader, self._loss = module, loader, loss
        self._device = next(module.parameters()).device

    def losses(self) -> Iterator[tuple[Tensor, float]]:
        for number, (inputs, targets) in enumerate(_pairs(self._loader)):
            given, wanted = _on(inputs, self._device), _on(targets, self._device)
            if isinstance(given, Mapping):
                outputs = self.module(**given)
            elif isinstance(given, tuple | list):
                outputs = self.module(*given)
            else:
                outputs = self.module(given)
            loss = self._loss(outputs, wanted)
            value = loss.item()  # the only wait of a step for another device
            if not math.isfinite(value):
                raise KolmogorovError(
                    f"Cannot fine-tune: expected a finite loss, got {value} for batch {number}. "
                    "Look for NaN in it, or take a smaller rate."
                )
            yield loss, value


def _train(
    kolmogorov: KolmogorovLoss,
    task: _Task,
    counts: tuple[int, int],
    settings: tuple[float, float],
    notify: Notify,
) -> None:
    (epochs, num_batches), (weight, rate) = counts, settings
    num_steps, rates = epochs * num_batches, [rate, _OWN_RATES * rate]
    optimizer = torch.optim.Adam(
        [
            {"params": [p for p in task.module.parameters() if p.requires_grad], "lr": rates[0]},
            {"params": list(kolmogorov.parameters()), "lr": rates[1]},
        ]
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rates, num_steps + 1, pct_start=_RISING, cycle_momentum=False
    )
    task.module.train()
    step = 0
    for epoch in range(epochs):
        total = 0.0
        losses = task.losses()
        for _ in range(num_batches):
            if step == int(_SOFT * num_steps):
                finish(kolmogorov)
            optimizer.zero_grad()
            with kolmogorov.quantised():
                loss, value = next(losses)
            (loss + weight * kolmogorov()).backward()
            optimizer.step()
            schedule.step()
            total += value
            step += 1
        num_bytes = kolmogorov.bits().total / 8
        notify(
            f"epoch {epoch + 1} of {epochs}: loss {total / num_batches:.4g}, {num_bytes:,.0f} bytes"
        )


def _check(loader: object, epochs: int, strength: float, rate: float) -> None:
    found = None
    if epochs < 1:
        found = f"at least 1 epoch, got {epochs}"
    for name, number in (("strength", strength), ("rate", rate)):
        if not 0 < number < math.inf:
            found = f"a {name} above 0, got {number}"
    if not isinstance(loader, Iterable):
        found = f"a loader of batches, got a {type(loader).__name__}"
    elif isinstance(loader, Iterator):
        found = (
            "a loader that can be gone through again, got a "
            f"{type(loader).__name__}. Pass list(loader)"
        )
    if found is not None:
        raise KolmogorovError(f"Cannot fine-tune: expected {found}.")


def _count(loader: Iterable[Any]) -> tuple[int, int]:
    """The batches of a loader, and their samples."""
    sizes = [_size(inputs) for inputs, _ in _pairs(loader)]
    if not sum(sizes):
        raise KolmogorovError(
            "Cannot fine-tune: expected a loader with samples, got none. Look at its data set."
        )
    return len(sizes), sum(sizes)


def _pairs(loader: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    for number, batch in enumerate(loader):
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise KolmogorovError(
                f"Cannot fine-tune: expected pairs of inputs and targets, got a "
                f"{type(batch).__name__} as batch {number}. Put several inputs into a tuple."
            )
        yield batch[0], batch[1]


def _size(inputs: Any) -> int:
    if isinstance(inputs, Mapping):
        inputs = tuple(inputs.values())
    if isinstance(inputs, tuple | list):
        inputs = next((part for part in inputs if isinstance(part, Tensor)), None)
    return len(inputs) if isinstance(inputs, Tensor) and inputs.ndim else 1


def _on(given: Any, device: torch.device) -> Any:
    if isinstance(given, Tensor):
        return given.to(device)
    if isinstance(given, Mapping):
        return {name: _on(part, device) for name, part in given.items()}
    if isinstance(given, tuple | list):
        return [_on(part, device) for part in given]
    return given


def _usual_loss(outputs: Any, targets: Any) -> Tensor:
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
        raise KolmogorovError(
            f"Cannot fine-tune: expected tensors as outputs and targets, got a "
            f"{type(outputs).__name__} and a {type(targets).__name__}. Pass task_loss."
        )
    if targets.is_floating_point():
        return functional.mse_loss(outputs, targets)
    return functional.cross_entropy(outputs, targets)

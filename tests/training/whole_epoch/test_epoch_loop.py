"""The compiled epoch against steps in PyTorch."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

import pytest
import torch
from numba import typeof
from numba.core import runtime

from tests.training.whole_epoch.learners import both, learner_of, weights_of

EPSILON = 2.0**-23
# Gradients have the same bits, or differ by a few roundings. An optimiser's step rounds at most ten
# numbers in turn, none larger than four times the largest change of a weight, and then the new
# weight. PyTorch rounds as often.
ROUNDINGS = 2 * 10 * 4

# Each of eight layers errs by up to 4e-7 of its largest value, forward and backward.
CURVE_ERROR = 2 * 8 * 4e-7

TASKS: dict[str, dict[str, Any]] = {
    "regression": {},
    "channels": {"target": "rgb-ring", "activation": "relu"},
    "classes": {"task": "classification"},
    "encoded": {"encoding": "triangle:3", "final_activation": "leaky_relu"},
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adam": {},
    "adam, decay": {"weight_decay": 0.1, "adam_beta1": 0.8, "adam_beta2": 0.95},
    "adamw, amsgrad": {"optimizer": "adamw", "weight_decay": 0.1, "amsgrad": True},
    "sgd": {"optimizer": "sgd", "weight_decay": 0.1, "learning_rate": 0.03},
    "sgd_momentum": {"optimizer": "sgd_momentum", "learning_rate": 0.01},
    "rmsprop": {"optimizer": "rmsprop", "weight_decay": 0.1},
    "rmsprop, no momentum": {"optimizer": "rmsprop", "momentum": 0.0, "grad_clip_norm": 0.05},
    "cosine, clipped": {"lr_schedule": "cosine", "epochs": 3, "grad_clip_norm": 0.05},
}
STEPS: dict[str, Any] = {
    "kolmogorov_quantise": "learned", "kolmogorov_weight": 0.1, "epochs": 40,
    "lr_schedule": "constant",
}  # fmt: skip
SCALES = {
    "kolmogorov_weight": 0.1, "kolmogorov_predictor": "row_column", "kolmogorov_targets": "linear",
    "kolmogorov_weight_max": 0.5,
}  # fmt: skip
KINDS_OF_K: dict[str, dict[str, Any]] = {
    "no K": {},
    "soft": {"kolmogorov_weight": 0.1},
    "linear": {"kolmogorov_weight": 0.1, "kolmogorov_targets": "linear"},
    "wide": {"kolmogorov_weight": 0.1, "kolmogorov_shape": "[7]", "kolmogorov_temperature": 0.5},
    "rows": {**SCALES},
    "tensors": {**SCALES, "kolmogorov_predictor": "per_tensor"},
    "rows in a learned range": {**SCALES, "kolmogorov_range": "auto", "kolmogorov_bins": 64},
    "steps": {**STEPS},
    "linear steps": {**STEPS, "kolmogorov_targets": "linear"},
    "tensors' steps": {**STEPS, "kolmogorov_predictor": "per_tensor"},
}
# An adaptive optimiser divides by the size of the gradient, and turns a gradient of pure rounding
# into a large change. Only gradients of classes are rounded differently from PyTorch's.
GRID = [
    pytest.param({**TASKS[task], **OPTIMIZERS[name], **KINDS_OF_K[k]}, id=f"{task}, {name}, {k}")
    for task, name, k in (
        ("regression", "adam", "no K"),
        ("channels", "adam", "linear"),
        ("encoded", "adam, decay", "soft"),
        ("regression", "adamw, amsgrad", "wide"),
        ("channels", "adamw, amsgrad", "no K"),
        ("classes", "sgd", "soft"),
        ("regression", "sgd", "linear"),
        ("classes", "sgd_momentum", "no K"),
        ("encoded", "sgd_momentum", "wide"),
        ("regression", "rmsprop", "soft"),
        ("channels", "rmsprop, no momentum", "no K"),
        ("encoded", "cosine, clipped", "linear"),
        ("channels", "adam, decay", "rows"),
        ("regression", "sgd_momentum", "tensors"),
        ("encoded", "adam", "rows in a learned range"),
        ("regression", "adam", "steps"),
        ("channels", "adamw, amsgrad", "linear steps"),
        ("regression", "rmsprop", "tensors' steps"),
    )
]
# Muon's matrix products are PyTorch's in bfloat16; `optimizers/test_muon_kernels.py` has the
# bounds.
MUON = {"optimizer": "muon", "kolmogorov_weight": 0.1}


@pytest.mark.parametrize("settings", GRID)
def test_a_step_is_pytorchs(settings: dict[str, Any]) -> None:
    """From the same state a step changes each weight as PyTorch does, up to its roundings."""
    # One step an epoch makes each comparison that of one step.
    stepwise, compiled = both(**settings, points=256)
    for epoch in (1, 2, 3):
        before = weights_of(stepwise)
        found = [learner.run_epoch(epoch) for learner in (stepwise, compiled)]
        one, two = map(weights_of, (stepwise, compiled))
        largest = (one - before).abs().max()
        allowed = epoch * EPSILON * (2 * one.abs() + ROUNDINGS * largest)
        assert bool(((one - two).abs() <= allowed).all())
        assert found[0] is not None
        assert found[1] is not None
        for name in ("task_loss", "kolmogorov_loss", "validation_loss", "description_bits"):
            expected, got = (getattr(result, name) for result in found)
            assert (got is None) == (expected is None), name
            assert got is None or got == pytest.approx(expected, rel=1e-5), name


def test_muon_trains_as_in_pytorch() -> None:
    """Losses of compiled muon fall as PyTorch's do, whose products are rounded to 8 bits."""
    losses = []
    for learner in both(**MUON, learning_rate=0.01):
        results = [learner.run_epoch(epoch) for epoch in range(1, 31)]
        losses.append([result.task_loss for result in results if result is not None])
    one, two = losses
    assert two[0] == pytest.approx(one[0], rel=0.02)
    assert two[-1] == pytest.approx(one[-1], abs=0.1 * one[0])
    assert two[-1] < one[0] / 2


CURVES = ["abs", "tanh", "gelu", "sine"]


@pytest.mark.parametrize("activation", CURVES)
def test_curves_are_pytorchs(activation: str) -> None:
    """Activations by polynomials give PyTorch's step, up to the rounding of eight layers."""
    settings = {"activation": activation, "optimizer": "sgd", "kolmogorov_weight": 0.1}
    settings["final_activation"] = "sigmoid" if activation != "tanh" else "none"
    stepwise, compiled = both(**settings, shape="[10]*8", points=256, learning_rate=1.0)
    before = weights_of(stepwise)
    one, two = stepwise.run_epoch(1), compiled.run_epoch(1)
    assert one is not None
    assert two is not None
    assert two.task_loss == pytest.approx(one.task_loss, rel=1e-5)
    gradient = (weights_of(stepwise) - before).abs().max()
    off = (weights_of(compiled) - weights_of(stepwise)).abs().max()
    assert off <= CURVE_ERROR * gradient


@pytest.mark.parametrize("settings", GRID[::3])
def test_an_epoch_is_pytorchs(settings: dict[str, Any]) -> None:
    """Three epochs of several steps, the last one short, end near PyTorch's weights and losses."""
    stepwise, compiled = both(**settings)
    for epoch in (1, 2, 3):
        one, two = stepwise.run_epoch(epoch), compiled.run_epoch(epoch)
        assert one is not None
        assert two is not None
        assert len(one.step_losses) == len(two.step_losses)
        assert two.task_loss == pytest.approx(one.task_loss, rel=1e-4)
    torch.testing.assert_close(weights_of(compiled), weights_of(stepwise), rtol=0, atol=1e-4)


@pytest.mark.parametrize("k", ["no K", "soft", "linear", "steps", "tensors"])
def test_gradients_have_the_very_bits(k: str) -> None:
    """With rate 1 and no momentum, the new weights are the old ones minus PyTorch's gradient."""
    settings = {"optimizer": "sgd", "learning_rate": 1.0, **KINDS_OF_K[k]}
    stepwise, compiled = both(**settings, points=256)
    stepwise.run_epoch(1)
    compiled.run_epoch(1)
    pairs = zip(stepwise.network.parameters(), compiled.network.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


@pytest.mark.parametrize("targets", ["rounded", "linear"])
def test_weights_beyond_the_bins_are_pytorchs_too(targets: str) -> None:
    """Weights in the outermost bins and beyond, which no table holds, change as in PyTorch."""
    settings = {**STEPS, "kolmogorov_bins": 8, "kolmogorov_targets": targets, "learning_rate": 0.01}
    stepwise, compiled = both(**settings)
    for learner in (stepwise, compiled):
        assert learner.kolmogorov is not None
        with torch.no_grad():
            next(learner.kolmogorov.parameters()).sub_(1.5)  # the logarithms of the steps
    for epoch in (1, 2, 3, 39, 40):  # the last two have frozen steps and predictor
        one, two = stepwise.run_epoch(epoch), compiled.run_epoch(epoch)
        assert one is not None
        assert two is not None
        assert one.out_of_range
        assert two.kolmogorov_loss == pytest.approx(one.kolmogorov_loss, rel=1e-5)
    torch.testing.assert_close(weights_of(compiled), weights_of(stepwise), rtol=0, atol=1e-4)


def test_a_hook_sends_an_epoch_to_pytorch_and_back() -> None:
    """An epoch with a hook steps in PyTorch from the loop's state, and the next one in the loop."""
    stepwise, compiled = both(kolmogorov_weight=0.1)
    seen = []
    for epoch in (1, 2, 3):
        if epoch == 2:
            handle = compiled.network.layers[0].register_forward_hook(lambda *_: seen.append(1))
        stepwise.run_epoch(epoch)
        compiled.run_epoch(epoch)
        if epoch == 2:
            handle.remove()
    assert seen
    torch.testing.assert_close(weights_of(compiled), weights_of(stepwise), rtol=0, atol=1e-5)
    steps = [float(state["step"]) for state in compiled.optimizers[0].state.values()]
    assert steps == [9.0] * len(steps)


def test_a_loss_that_is_not_finite_stays_so() -> None:
    """A NaN weight makes the losses NaN, as in PyTorch."""
    for settings in KINDS_OF_K.values():
        learner = learner_of("compiled", **settings)
        first, *_, last = learner.network.parameters()
        with torch.no_grad():
            first[0, 0] = torch.nan
        found = learner.run_epoch(1)
        assert found is not None
        assert math.isnan(found.task_loss)
        assert bool(last.isnan().any())


def test_a_request_to_stop_gives_the_epoch_up() -> None:
    """A request to stop before an epoch gives the epoch up, without a result."""
    learner = learner_of("compiled")
    assert learner.run_epoch(1, lambda: True) is None
    assert learner.run_epoch(1, lambda: False) is not None


def test_other_threads_run_during_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Python thread counts on during an epoch, since the loop releases the GIL."""
    learner = learner_of("compiled", size=256, points=20000, batch_size=64)
    learner.run_epoch(1)
    counts: list[float] = []
    over = threading.Event()

    def count() -> None:
        while not over.is_set():
            counts.append(time.perf_counter())

    loop = learner._epoch_loop
    assert loop is not None
    spans, train = [], loop._loop()

    def timed(*arguments: Any) -> None:
        start = time.perf_counter()
        train(*arguments)
        spans.append((start, time.perf_counter()))

    monkeypatch.setattr(loop, "_loop", lambda: timed)  # times the call itself
    thread = threading.Thread(target=count)
    thread.start()
    while len(spans) < 8:
        learner.run_epoch(2)
    over.set()
    thread.join()
    start, end = max(spans, key=lambda span: span[1] - span[0])
    inside = [moment for moment in counts if start < moment < end]
    assert len(inside) > 10


class _Listening:
    """Stands for a compiled loop, and notes the types of its compilation and its calls."""

    def compile(self, types: Any) -> None:
        self.compiled = types

    def __call__(self, *arguments: Any) -> None:
        self.called = tuple(map(typeof, arguments))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"kolmogorov_weight": 0.1},
        {"kolmogorov_weight": 0.1, "kolmogorov_predictor": "row_column",
         "kolmogorov_targets": "linear"},
        {"kolmogorov_quantise": "learned", "kolmogorov_weight": 0.1},
    ],
    ids=["no K", "coordinate", "scales", "learned steps"],
)  # fmt: skip
def test_the_loop_is_compiled_ahead_for_what_it_is_called_with(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process compiles the loop without a call, for the types of the trainer's call."""
    learner, listening = learner_of("compiled", **settings), _Listening()
    monkeypatch.setattr(learner._epoch_loop, "_loop", lambda: listening)
    learner.compile_ahead()
    learner.run_epoch(1)
    assert listening.compiled == listening.called


def test_steps_allocate_nothing() -> None:
    """Numba allocates as many arrays for many steps as for few: those of the call itself."""
    assert _allocations(points=512) == _allocations(points=5120)


def _allocations(points: int) -> tuple[int, int]:
    learner = learner_of("compiled", kolmogorov_weight=0.1, size=128, points=points)
    learner.run_epoch(1)
    loop = learner._epoch_loop
    assert loop is not None
    order = learner.objective.data.shuffled_order(learner.order)
    counters: Any = runtime  # has no types
    counters._nrt_python.memsys_enable_stats()
    try:
        before = counters.rtsys.get_allocation_stats()
        loop.run(order, 0.1)
        after = counters.rtsys.get_allocation_stats()
    finally:
        counters._nrt_python.memsys_disable_stats()
    assert after.mi_alloc > before.mi_alloc
    return after.alloc - before.alloc, after.mi_alloc - before.mi_alloc

"""Tests of partitions of wrapped or labelled modules, and of objects that are no modules."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bitfold.errors import PolytopeError
from bitfold.polytopes import partition, sample_partition


class Labelled(nn.Module):
    """Labels its layers for the profiler, as parallel modules do."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, points: Tensor) -> Tensor:
        """Return the layers' outputs."""
        with torch.profiler.record_function("outer"):
            points = points * 1.0
            with torch.profiler.record_function("inner"):
                outputs: Tensor = self.layers(points)
        return outputs


def with_part_compiled(module: Any) -> Any:
    """Return the module with a part compiled."""
    module[1] = torch.compile(module[1], backend="eager")
    return module


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "labelled": Labelled,
    "compiled": lambda module: torch.compile(module, backend="eager"),
    "part": with_part_compiled,
    "data-parallel": nn.DataParallel,
    "averaged": torch.optim.swa_utils.AveragedModel,
    "labelled, compiled": lambda module: torch.compile(Labelled(module), backend="eager"),
}


def network() -> nn.Sequential:
    """Return layers within layers."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.ReLU(), nn.Linear(5, 4), nn.ReLU())
    return nn.Sequential(nn.Linear(2, 5), layers, nn.Linear(4, 1)).eval()


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers_and_labels_change_nothing(name: str) -> None:
    """The partition and the samples of a wrapped module equal the plain module's exactly."""
    torch.compiler.reset()
    wrapped = WRAPPERS[name](network()).eval()
    found, expected = (partition(one, ((-3, -3), (3, 3))) for one in (wrapped, network()))
    assert found.num_polytopes == expected.num_polytopes > 5
    assert np.array_equal(found.vertices, expected.vertices)
    found.check()
    axis = np.linspace(-3, 3, 9)
    sampled, plain = (sample_partition(one, axis, axis) for one in (wrapped, network()))
    assert np.array_equal(sampled.folds, plain.folds)
    assert sampled.num_polytopes == plain.num_polytopes


class Classifier:
    """Stands for a model of another library, which is no module."""


@pytest.mark.parametrize(
    "find", [partition, lambda given: sample_partition(given, np.arange(3.0), np.arange(3.0))]
)
def test_other_things_than_modules_are_refused(find: Callable[[Any], Any]) -> None:
    """The error names the type of an object that is no module."""
    with pytest.raises(PolytopeError, match=r"expected a torch.nn.Module, got .*\.Classifier\. "):
        find(Classifier())


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")  # since PyTorch 2.14
def test_scripted_modules_are_refused() -> None:
    """Scripted modules, whole or in part, are refused by name, as they cannot be traced."""
    script: Any = torch.jit.script
    module = network()
    with pytest.raises(PolytopeError, match="got 'one' that TorchScript compiled"):
        partition(script(network()))
    module[1] = script(module[1])
    with pytest.raises(PolytopeError, match="got '1' that TorchScript compiled"):
        partition(module)


class Attention(nn.Module):
    """Attention by hand, in which the first operation on several inputs is a transposition."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, series: Tensor) -> Tensor:
        """Mix the positions of a series."""
        first = self.inner(series.transpose(0, 1))
        mixed: Tensor = torch.softmax(first @ first.transpose(1, 2), -1) @ first
        return mixed.transpose(0, 1).flatten(1)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Attention, "bmm of two results"),
        (
            lambda: nn.TransformerEncoderLayer(4, 2, 8),
            "_scaled_dot_product.*|native_layer_norm|bmm.*",
        ),
        (
            lambda: nn.Sequential(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)),
            "_scaled_dot_product.* in '0.self_attn'",
        ),
    ],
)
def test_the_operation_that_is_no_line_is_named(make: Callable[[], nn.Module], reason: str) -> None:
    """The error names the operation that is not piecewise linear, not the transposition before."""
    torch.manual_seed(0)
    module = make().eval()
    plane = torch.zeros(3, 4), torch.ones(3, 4), torch.eye(4)[:3]
    with pytest.raises(PolytopeError, match=f"piecewise linear operations, got ({reason})"):
        partition(module, plane=plane)


class Mixing(nn.Module):
    """Adds the batch's mean to each input: piecewise linear, but it mixes inputs."""

    def forward(self, points: Tensor) -> Tensor:
        """Mix the inputs."""
        return torch.relu(points + points.mean(0))


def test_linear_mixing_of_inputs_is_still_named() -> None:
    """If every operation is piecewise linear, the error names the one that mixes inputs."""
    with pytest.raises(PolytopeError, match="each input to be worked on by itself, got mean"):
        partition(Mixing().eval())
